use super::*;

#[test]
fn status_lines_are_found_by_name() {
    let status = "Name:\tringway\nVmRSS:\t    5120 kB\nThreads:\t4\n";
    assert_eq!(status_field(status, "VmRSS:"), Some(5120));
    assert_eq!(status_field(status, "Threads:"), Some(4));
    assert_eq!(status_field(status, "VmSwap:"), None);
}

#[test]
fn cpu_time_survives_a_hostile_program_name() {
    let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 1 1 1";
    assert_eq!(cpu_s(stat), Some(3.0));
    assert_eq!(cpu_s("77 (cut"), None);
}

#[test]
fn this_process_has_all_figures() {
    let figures = ProcessFigures::read();
    assert!(figures.resident_bytes.is_some_and(|bytes| bytes > 100_000));
    assert!(figures.open_descriptors.is_some_and(|count| count >= 3));
    assert!(figures.descriptors_max >= figures.open_descriptors);
    assert!(figures.cpu_s.is_some());
    assert!(figures.threads.is_some_and(|count| count >= 1));
}
