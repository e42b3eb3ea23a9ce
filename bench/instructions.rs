//! The steps of an exchange repeated, for a counter of instructions to be held to: wall time is too noisy for steps this short.
//!
//! `bench/count` runs all of them under callgrind and compares with `instructions.toml`. A step is called twice before it counts, so that
//! what is made once is made; then `counted_step` is what a counter has to look at. For a counter that looks at the whole process:
//! `perf stat -e instructions:u cargo bench --bench instructions -- answer 100000`, less the same with 0, divided by 100,000 (and by the number of
//! parts that `steps.rs` names). Without arguments each runs once, so that none rots.
//!
//! Vectors are AVX2's wherever there are any: callgrind knows nothing wider, and the figures must not depend on the machine.

// The fence is around what shards run; this prints.
#![allow(clippy::disallowed_macros)]

mod configured;
#[expect(dead_code, reason = "each bench takes the bodies that it needs")]
mod prompts;
mod steps;

/// What a counter looks at. Its name is known to `bench/count`.
#[inline(never)]
fn counted_step(step: &mut dyn FnMut(), times: u32) {
    for _ in 0..times {
        step();
    }
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let chosen = words.next().filter(|word| word != "all");
    let times = words.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    let vectors = if ringway::sys::settle_for_avx2() { "AVX2" } else { "none" };
    steps::for_each(|mut step| {
        if chosen.as_deref().is_none_or(|chosen| chosen == step.name) {
            (step.run)();
            (step.run)();
            counted_step(&mut *step.run, times);
            // What the count has to be divided by.
            println!("{} {} {vectors}", step.name, times * step.parts);
        }
    });
}
