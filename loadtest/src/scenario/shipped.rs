//! The scenarios that come with the binary, so that it needs no checkout beside it.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Name and file, in the order in which they are listed.
        pub const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*
        ];
    };
}

shipped![
    "quick",
    "quick-stream",
    "chat-small",
    "chat-100k",
    "chat-1m",
    "stream-paced",
    "stream-burst",
    "connections-sweep",
    "tls-h2-upstream",
    "idle-10k",
    "key-flood",
    "head-of-line",
    "slow-client",
    "failover",
    "brown-out",
    "rate-limited",
    "soak",
    "drivers",
    "allocators",
];
