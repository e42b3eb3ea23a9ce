//! Every bound of the simulator and of the load driver, with the reason for each number.

/// Longest request head that the simulator reads, in bytes. Well above the 64 KiB that gateways allow, so that the
/// gateway's limit is the one that is met first.
pub const REQUEST_HEAD_BYTES_MAX: usize = 256 * 1024;

/// Header lines of a request. `httparse` needs the room in advance; SDKs send about 30.
pub const REQUEST_HEADERS_MAX: usize = 128;

/// Longest request body, in bytes: the 20 MiB that a gateway accepts by default, and room to see one that lets more
/// through.
pub const REQUEST_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Requests remembered with head and body for a test to look at.
pub const RECENT_REQUESTS_MAX: usize = 64;

/// Bytes of each remembered body. A test that sends more compares lengths and beginnings.
pub const RECENT_BODY_BYTES_MAX: usize = 256 * 1024;

/// Responses that are kept to be asked for by their ids. A test makes a few.
pub const KEPT_RESPONSES_MAX: usize = 256;

/// Distinct paths, models, keys and fault names that are counted by name; further ones count under `(other)`.
pub const COUNTED_NAMES_MAX: usize = 256;

/// Rules in a script. Each request looks at each rule in order.
pub const SCRIPT_RULES_MAX: usize = 256;

/// Longest script that the control endpoint accepts, in bytes.
pub const SCRIPT_BYTES_MAX: usize = 256 * 1024;

/// Largest amount of made-up bytes that one fault sends (a huge line, a huge answer).
pub const FAULT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Answers (`n`) of one request, as OpenAI bounds it.
pub const CHOICES_MAX: u64 = 128;

/// Words of one made-up answer.
pub const ANSWER_WORDS_MAX: usize = 100_000;

/// Vectors of one embeddings request and numbers of one vector, as OpenAI bounds them (dimensions with room).
pub const EMBEDDING_INPUTS_MAX: usize = 2_048;
pub const EMBEDDING_DIMENSIONS_MAX: u64 = 8_192;

/// Depth to which a JSON schema is followed when an answer is made from it: a recursive schema must end somewhere.
pub const SCHEMA_DEPTH_MAX: usize = 16;

/// Connections that wait to be accepted: a load run opens thousands at once.
pub const LISTEN_BACKLOG: u32 = 4_096;

/// Descriptors that the load driver and the simulator ask the kernel for: 16,384 connections on each side and room.
pub const OPEN_FILES_WANTED: u64 = 65_536;

/// Connections of one load run.
pub const LOAD_CONNECTIONS_MAX: usize = 32_768;

/// Latencies above this are recorded as this, in microseconds: ten minutes, the SDKs' own time-out.
pub const LATENCY_US_MAX: u64 = 600_000_000;

/// Threads of one load run. More than any machine's cores that one would give to the load.
pub const LOAD_THREADS_MAX: usize = 64;

/// Pieces of a window's time, each of which has a histogram of its own: 300 of about 100 KB.
pub const LOAD_SLICES_MAX: usize = 300;

/// Bytes of a numbered chunk's mark that are kept until its end comes. The simulator's chunks have about 150.
pub const CHUNK_MARK_BYTES_MAX: usize = 64 * 1024;

/// Numbers of a stream's chunks that are remembered as missing; more of them are lost and not awaited.
pub const CHUNKS_MISSING_MAX: u64 = 4_096;

/// Exchanges that one load run has under way at once: its connections, times the streams of each.
pub const LOAD_STREAMS_MAX: usize = 131_072;

/// Different bodies of one load run. They are made in advance and kept: 64 of 1 MB are 64 MB.
pub const LOAD_VARIANTS_MAX: usize = 64;

/// Longest body of one request, in bytes. Gateways accept 20 MiB by default; this shows one that lets more through.
pub const LOAD_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest file of recorded latencies, in bytes: a histogram of three digits over ten decades has about 10,000 lines.
pub const RECORDED_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Largest recorded latency, in microseconds: a day, as for every delay of a script.
pub const RECORDED_VALUE_US_MAX: f64 = 86_400e6;
/// Of a scenario's or a target's name, in the name of a file: two of them and an ending stay below what file systems take (255).
pub const FILE_STEM_CHARS_MAX: usize = 80;

/// Targets drawn in one chart: more lines than this cannot be told apart, nor their names be set beside them.
pub const CHART_TARGETS_MAX: usize = 12;

/// Points of one line over time: about one for each unit of a chart's width.
pub const SLICES_MAX: usize = 240;

/// Of a results file that is read: a long run of all scenarios over all peers writes a few megabytes.
pub const RESULTS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Blocks of paired windows of one latency measurement. Below 20 a bootstrap interval has no sound ends; thousands would take hours.
pub const BLOCKS_MIN: usize = 20;
pub const BLOCKS_MAX: usize = 10_000;

/// Repetitions of every other measurement: fewer than five show no spread.
pub const REPETITIONS_MIN: usize = 5;
pub const REPETITIONS_MAX: usize = 1_000;

/// Simulated providers of one scenario: each is a thread of its own.
pub const SIMULATORS_MAX: usize = 16;

/// Longest window of a scenario, in seconds: a day.
pub const WINDOW_S_MAX: f64 = 86_400.0;

/// Exchanges under way at once over HTTP/1.1 in a closed loop. Each takes a port on both sides of the gateway, and what was closed keeps its
/// port for a minute: more would measure the ports of the machine.
pub const ACTIVE_CONNECTIONS_HTTP1_MAX: usize = 2_000;

/// Bytes that the simulator's fast mode has answered to one connection and not sent, before it reads on: a client that sends ahead
/// without reading must not fill the memory.
pub const FAST_UNSENT_BYTES_MAX: usize = 256 * 1024;

/// Streams of one HTTP/2 connection that the fast mode serves at once, which it announces.
pub const FAST_STREAMS_MAX: usize = 16_384;
