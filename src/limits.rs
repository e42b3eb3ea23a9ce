//! Every bound that Ringway enforces, with the reason for each number.
//!
//! What an operator may change is a default here and a key in the configuration; what is fixed says why.

/// Longest request head (request line and all headers), in bytes. Official SDKs send under 2 KiB; 32 KiB
/// leaves room for tracing baggage and cookies of intermediaries while keeping a slow-loris cheap.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most header lines in one request. SDKs send about 15, browsers behind several proxies 40.
pub const HEADERS_MAX: usize = 100;

/// Longest request target, in bytes. Model ids reach 200 bytes; everything beyond 8 KiB is an attack or a bug.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Default for the largest request body, in bytes: 20 MiB is the largest inline image that providers accept.
pub const BODY_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Default cap on body bytes held by all exchanges of one shard. Beyond it new bodies are shed with 503.
pub const SHARD_BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Body bytes that have to arrive within each body time-out, unless fewer are left. At the default of 30 s that is 546 bytes
/// a second, less than any network that people use; a client that sends single bytes would else hold its room for days.
pub const BODY_PACE_BYTES: usize = 16 * 1024;

/// How much of a whole (not streamed) answer is held back for validation and failover before it is passed on as it comes.
/// A chat answer is a few KB; 2,048 embeddings of 3,072 floats as text are about 70 MB and are streamed through.
pub const ANSWER_HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much of an answer with vectors is held back where they go from one API's form into another's. A hundred vectors, the most that
/// Gemini and Cohere take at once, of 3,072 numbers of up to 24 letters are 7 MB; servers of OpenAI's form take more of shorter ones.
pub const EMBEDDINGS_HELD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How much of an answer with pictures is held back where they go from one API's form into another's. Google's largest, of 16 million
/// pixels, are about 20 MB as PNG and 27 MB as base64; of the usual size, with 2 MB, it is eight and more.
pub const IMAGES_HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Deployments of which a shard remembers what their last answer was like, 4 KiB at most for each. Two that share a place are read in
/// full where their answers take turns.
pub const KNOWN_DEPLOYMENTS_MAX: usize = 8;

/// Longest id of a response that a provider keeps, in bytes. OpenAI's have 55, other servers' are UUIDs; a longer one goes to the client as it is,
/// and cannot be asked for.
pub const RESPONSE_ID_BYTES_MAX: usize = 256;

/// Longest answer head from an upstream, in bytes. CDNs add up to 8 KiB of policy headers.
pub const UPSTREAM_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Most header lines in one answer head. CDNs add about 30.
pub const UPSTREAM_HEADERS_MAX: usize = 128;

/// Interim (1xx) answers accepted before the final one. RFC 9110 allows any number; a storm is an attack.
pub const INTERIM_ANSWERS_MAX: usize = 8;

/// Longest server-sent event from an upstream, in bytes. Image generation streams carry whole base64 images.
pub const SSE_EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most bytes of headers in one message of AWS's event streams: what the format's description allows. Bedrock sends about 100.
pub const EVENT_STREAM_HEADERS_BYTES_MAX: usize = 128 * 1024;

/// Memory that the calls of an answer may take while their arguments are collected for a client whose dialect has them whole, in
/// bytes. The output of a model is at most 128 K tokens, about half of this.
pub const HELD_CALL_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a multipart body that are buffered while the `model` part is looked for. SDKs send `file` first and
/// `model` after it, so this has to hold a whole audio file: the field's limit is 25 MB.
pub const MULTIPART_PREFIX_BYTES_MAX: usize = 26 * 1024 * 1024;

/// Largest body that an explanation shows, in bytes; a larger one is counted. Prompts that people read stay far below, and an explanation
/// has up to `ATTEMPTS_MAX` of them.
pub const EXPLAINED_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Size of the buffer that one socket read fills, in bytes. One TLS record is at most 16 KiB + 22 bytes of overhead;
/// larger reads would let one connection hold the shard (see h2#879).
pub const READ_BYTES: usize = 16 * 1024;

/// Bytes that may wait to be sent to a client before reading from its upstream pauses.
pub const RELAY_PENDING_BYTES_MAX: usize = 128 * 1024;

/// Default limit on downstream connections of one shard. At 2 KiB each an idle crowd of this size costs 40 MiB.
pub const SHARD_CONNECTIONS_MAX: usize = 20_000;

/// Most deployments that one exchange may try. Nested retries are how others reached 18 upstream calls for one request.
pub const ATTEMPTS_MAX: usize = 4;

/// Most deployments in one configuration: the size of the per-shard telemetry tables.
pub const DEPLOYMENTS_MAX: usize = 4096;

/// Longest model name accepted from a client, in bytes. It reaches metric labels, logs and URL paths.
pub const MODEL_BYTES_MAX: usize = 256;

/// Addresses kept for one upstream name. A pool spreads over a handful; a resolver answering thousands is broken.
pub const ADDRESSES_MAX: usize = 16;

/// Upstream names looked up at once. Each takes a thread of the blocking pool for as long as the C library waits.
pub const LOOKUPS_MAX: usize = 16;

/// Longest text whose tokens a tokenizer counts, in bytes: a request's body, or what an answer says. A million tokens of English, the largest
/// contexts that models have, are four times as much; such a text is estimated by its bytes, which is no worse for being long.
pub const TOKENIZED_BYTES_MAX: usize = 1024 * 1024;

/// Texts that wait for the tokenizer. The slowest text takes a tenth of a second, and who asks for a count does not wait for longer than
/// `TOKENIZER_MS`: more would only be late.
pub const TOKENIZER_JOBS_MAX: usize = 16;

/// Access-log records that may wait in the tokenizer's ring. The writer looks at least every 100 ms, so this covers 40,000 a second, which is
/// more than one thread counts.
pub const TOKENIZED_RECORDS_MAX: usize = 4096;

/// How much of a text a tokenizer sees at once, in bytes. What it needs grows a little faster than the text where that has no words; this
/// takes it 2 MB and some milliseconds.
pub const TOKENIZER_PIECE_BYTES_MAX: usize = 16 * 1024;

/// How long a request for a count waits for the tokenizer, in milliseconds; after that its tokens are estimated by their bytes. Agents ask
/// before each turn, which takes seconds.
pub const TOKENIZER_MS: u64 = 1_000;

/// Commands that wait for the control thread, which takes them within a tenth of a second: to stop, to stop at once, to reload.
pub const COMMANDS_MAX: usize = 16;

/// Access-log records that may wait in one shard's ring. The writer looks at least every 100 ms, so this covers bursts of
/// 160,000 exchanges a second on one shard.
pub const ACCESS_LOG_RECORDS_MAX: usize = 16 * 1024;

/// Snapshots that the log writer keeps to resolve indexes of older records. A record is behind by as many reloads as
/// happened during its exchange; eight reloads within one exchange is an operator's script gone wrong.
pub const ACCESS_LOG_GENERATIONS_MAX: usize = 8;

/// Admin connections served at once: a scraper, a prober and an operator need three.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Bytes of one admin request head. Scrapers send under 1 KiB; hyper refuses to go below 8 KiB.
pub const ADMIN_HEAD_BYTES_MAX: usize = 16 * 1024;

/// A shard whose heartbeat is older than this is not live and starves the watchdog, in milliseconds. Housekeeping runs
/// several times a second; two seconds without it is a shard that serves nobody.
pub const HEARTBEAT_STALE_MS: u64 = 2_000;

/// How long readiness waits for pools to be warm or to have failed once, in milliseconds.
pub const SETTLE_MS_MAX: u64 = 5_000;

/// Longest wait between two attempts to start a shard that keeps ending, in milliseconds; the first is at once, the next
/// after a second, then doubling.
pub const RESTART_WAIT_MS_MAX: u64 = 30_000;

/// Time that shards have to end after everything that runs was cut, in milliseconds.
pub const STOP_GRACE_MS: u64 = 2_000;

/// JSON nesting accepted in requests and answers. Tool schemas of real agents stay under 40.
pub const JSON_DEPTH_MAX: usize = 128;

/// Largest JSON schema that is adapted for an upstream, before and after, in bytes. OpenAI's limit on all names and values is 120,000
/// characters; what grows beyond this by its references was made to.
pub const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a schema that may be looked at while it is adapted: each level and each use of a reference looks again. The largest
/// schema, sixteen levels deep, fits.
pub const SCHEMA_READ_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Levels that an adapted schema may have. Schemas of real tools stay under 20; the stack holds several times this.
pub const SCHEMA_DEPTH_MAX: usize = 48;

/// Keywords of one schema. JSON Schema has about 60.
pub const SCHEMA_KEYWORDS_MAX: usize = 128;

/// Notes about one schema; the last says that there is more. Who reads more of them than this reads `docs/schemas.md`.
pub const SCHEMA_NOTES_MAX: usize = 16;

/// Longest place in a schema that a note names, in bytes.
pub const SCHEMA_POINTER_BYTES_MAX: usize = 200;

/// Longest value of a keyword that is told in words, in bytes. A regular expression or a small schema; more than this in a
/// description confuses a model more than it helps.
pub const SCHEMA_WORDS_BYTES_MAX: usize = 2_000;

/// Header list limit of HTTP/2, in bytes, both sides. h2's own default of 16 MiB invites an HPACK bomb.
pub const H2_HEADER_LIST_BYTES_MAX: u32 = 32 * 1024;

/// Concurrent streams that a downstream HTTP/2 connection may open.
pub const H2_DOWNSTREAM_STREAMS_MAX: u32 = 256;

/// Receive window of one upstream stream, in bytes. 65,535 would throttle a large answer to window / round trip; this gives
/// 5 MB/s at 100 ms.
pub const H2_STREAM_WINDOW_BYTES: u32 = 512 * 1024;

/// Receive window of one upstream connection, in bytes: every stream may fill its own, so clients that do not read never stall
/// the answers of others. It is a bound on what a provider may send ahead, not memory that is set aside. h2 derives from it how
/// many small frames may wait unread, half of it in bytes of overhead, which likewise must not be one slow client's to use up.
pub const H2_CONNECTION_WINDOW_BYTES: u32 = H2_UPSTREAM_STREAMS_MAX as u32 * H2_STREAM_WINDOW_BYTES;

/// Largest configuration file, in bytes. 10,000 keys with long names take 2 MiB.
pub const CONFIG_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most files in `conf.d`. Bounds what a mistaken directory can make the loader read.
pub const CONFIG_FILES_MAX: usize = 256;

/// Largest file that `${file:}` or `${credential:}` may name, in bytes. Service account keys stay under 4 KiB.
pub const CONFIG_SECRET_BYTES_MAX: usize = 64 * 1024;

/// Longest answer of a server that gives out credentials, in bytes. Tokens stay under 4 KiB, STS wraps them in as much again.
pub const CREDENTIAL_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Cloud accounts whose credentials are fetched at once. Each is a connection for as long as the server thinks.
pub const CREDENTIAL_FETCHES_MAX: usize = 8;

/// Roles that a profile of AWS's may lead through. Two are usual, a landing account's and a workload's; each costs a question.
pub const AWS_ROLES_MAX: usize = 8;

/// Renewed tokens for AWS's single sign-on that are kept. There is one for each session that a profile in use names.
pub const AWS_SSO_TOKENS_MAX: usize = 64;

/// Most errors that one load reports. More than a screen of them helps nobody.
pub const CONFIG_ERRORS_MAX: usize = 50;

/// Largest CA file, in bytes. A whole distribution's bundle is 220 KB.
pub const CA_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Streams used on one upstream HTTP/2 connection, also where the peer allows more or names no limit. Providers allow about
/// 100; far beyond it one lost packet would stall too many answers at once.
pub const H2_UPSTREAM_STREAMS_MAX: usize = 256;

/// Request bytes that h2 may hold for one upstream stream. Beyond it the body waits in its own buffer until the peer has room.
pub const H2_SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Streams that we reset and whose late frames are still recognised as such, per upstream connection. A client that leaves
/// costs one; without an entry such a frame would end the connection.
pub const H2_RESET_STREAMS_MAX: usize = 256;

/// Time for one upstream connection to be established, TLS and HTTP/2 included, in milliseconds, when no exchange
/// waits for it. An exchange that waits has its own limit.
pub const UPSTREAM_CONNECT_MS: u64 = 5_000;

/// Time for one address to answer while others are left to try, in milliseconds: a black hole in one address family must
/// not use up the whole limit.
pub const UPSTREAM_ADDRESS_MS: u64 = 1_000;

/// First and longest pause after a failed upstream connect, in milliseconds. It doubles in between.
pub const UPSTREAM_BACKOFF_MS: (u64, u64) = (100, 5_000);

/// After an answer that came before the end of its request: how long the client may pause, how long it may take in all, in milliseconds, and
/// how many bytes of the rest are discarded, so that the reset which follows does not overtake the answer. Many clients read it only
/// when they have sent everything; a body of the largest size takes 6 s at 4 MB/s.
pub const LINGER_MS: u64 = 2_000;
pub const LINGER_MS_MAX: u64 = 30_000;
pub const LINGER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Blocks of an answer of Anthropic's API that may be open at once. There is one; the format could have several.
pub const OPEN_BLOCKS_MAX: usize = 64;

/// Largest value of a request that an answer of the Responses API repeats, in bytes. The instructions and the tools of coding agents
/// stay below; a stream repeats each three times.
pub const ECHO_BYTES_MAX: usize = 32 * 1024;

/// What an answer of the Responses API may say while it is streamed, in bytes: its last event says all of it again. The longest
/// outputs of models, 128,000 tokens, take an eighth.
pub const STREAMED_RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most calls that are made for the answers of one request to a model that gives one at a time. Gemini, which gives several, takes eight
/// as well; what asks for more is after statistics, and should not multiply its cost unseen.
pub const FAN_OUT_MAX: u64 = 8;

/// Most choices that an answer may have: OpenAI's own limit for `n`.
pub const CHOICES_MAX: usize = 128;

/// Most calls of tools in one choice of an answer. Agents see a few dozen at once; what a reader remembers of each is 32 bytes.
pub const CALLS_MAX: usize = 1024;

/// Bytes of interleaved calls that are held until the one before them is complete, for clients whose blocks follow each other.
/// Inputs of a hundred calls at once take less; a call that never ends must not hold all the others of an answer.
pub const HELD_CALLS_BYTES_MAX: usize = 1024 * 1024;
