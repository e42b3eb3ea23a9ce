//! The runtime fence: the only module that names monoio.
//!
//! A lint (`clippy.toml`) and `tests/tidy.rs` keep it that way, so that a newer monoio or another driver is a change here.
//! Each thing offered is shaped around a hazard that was measured in monoio 0.2.4:
//! - a read future that is dropped loses data: `ReadHalf` waits for readiness only and then receives by itself;
//! - a dropped accept leaks descriptors: `listen` accepts in a task of its own that nothing races;
//! - a panic in a task ends the thread: `spawn` catches it and tells the caller's `on_panic`;
//! - a task that wakes itself in its own poll starves timers: nothing here yields by waking itself;
//! - all that is ready is taken in one turn, new work before the end of the old: `ReadHalf::begins_work` has a turnstile in front of it;
//! - timers round up to 2 ms, cost 1,500 instructions each, and a thousand in every turn of the loop once there is one: `Deadlines` are one
//!   scan per tick for a whole shard, and the tick comes from a `Timer` that is a descriptor like others;
//! - a host name in connect blocks on DNS: `connect` takes addresses only.
//!
//! Everything here belongs to one thread, except `Mailbox`, whose sender may live anywhere.

// This is the fence: what it keeps out of the rest is used here.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

mod deadline;
mod driver;
mod mailbox;
mod net;
mod stream;
mod task;
mod turnstile;

pub use deadline::{Deadline, Deadlines};
pub use driver::{Driver, DriverChoice, pin_to_cpu, run};
pub use mailbox::{Mailbox, MailboxSender, mailbox};
pub use net::{Accepted, Acceptor, Listener, connect_tcp, connect_unix, listen};
pub use stream::{ReadHalf, Stream, WriteHalf};
#[cfg(test)]
pub use task::sleep_ms;
pub use task::{Timer, spawn};

#[cfg(test)]
mod tests;
