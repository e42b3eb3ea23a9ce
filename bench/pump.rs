//! A byte pump: what moving the bytes costs on this runtime, without any HTTP. The floor that the gateway is measured against.
//!
//! Each accepted connection gets one of its own to the upstream, and two tasks: one per direction, each with one buffer of the size
//! that the gateway reads into, one read in flight, and a write that is tried at once. Nothing is parsed, checked, counted or
//! logged. One thread, pinned by whoever starts it; runs until it is killed.
//!
//! When one direction ends, both do, whatever the other still had to say. Good enough for a benchmark, whose peers never half-close;
//! not for anything else.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use clap::{Parser, ValueEnum};
use ringway::{limits::READ_BYTES, rt};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    net::SocketAddr,
    process::ExitCode,
    rc::Rc,
    task::{Poll, Waker},
};

/// The gateway's allocator, so that the difference is the gateway's work.
#[global_allocator]
static ALLOCATOR: ringway::sys::Mimalloc = ringway::sys::Mimalloc;

/// Moves bytes between clients and one upstream.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where each connection leads.
    #[arg(long)]
    upstream: SocketAddr,
    #[arg(long, value_enum, default_value_t = DriverArg::IoUring)]
    driver: DriverArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum DriverArg {
    IoUring,
    Epoll,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pump: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let (driver, _) = match args.driver {
        DriverArg::IoUring => rt::DriverChoice::IoUring,
        DriverArg::Epoll => rt::DriverChoice::Epoll,
    }
    .probe()?;
    ringway::sys::raise_descriptor_limit()?;
    let listener = std::net::TcpListener::bind(args.listen)?;
    let address = listener.local_addr()?;
    let upstream = args.upstream;
    rt::run(driver, async move {
        let _acceptor = rt::listen(rt::Listener::Tcp(listener), move |accepted| connect(accepted, upstream))?;
        println!("{{\"address\":\"{address}\"}}");
        std::future::pending::<io::Result<()>>().await
    })?
}

/// Opens the upstream's side and starts both directions. A connection that fails is dropped: the driver counts it.
fn connect(accepted: rt::Accepted, upstream: SocketAddr) {
    let opening = async move {
        let (Ok(client), Ok(server)) = (accepted.into_stream(), rt::connect_tcp(upstream).await) else { return };
        let pair = Rc::new(Pair::default());
        rt::spawn(pump(client.read, server.write, Rc::clone(&pair)), || {});
        rt::spawn(pump(server.read, client.write, pair), || {});
    };
    rt::spawn(opening, || {});
}

/// What the two directions of a connection share: the end.
#[derive(Default)]
struct Pair {
    over: Cell<bool>,
    /// Each direction's own, left here once when it begins.
    wakers: RefCell<Vec<Waker>>,
}

async fn pump(mut from: rt::ReadHalf, mut to: rt::WriteHalf, pair: Rc<Pair>) {
    poll_fn(|cx| {
        pair.wakers.borrow_mut().push(cx.waker().clone());
        Poll::Ready(())
    })
    .await;
    let mut buffer = Vec::with_capacity(READ_BYTES);
    while !pair.over.get() {
        let read = poll_fn(|cx| match pair.over.get() {
            true => Poll::Ready(Ok(0)),
            false => from.poll_read(cx, &mut buffer),
        });
        let Ok(1..) = read.await else { break };
        let sent = match to.start(std::mem::take(&mut buffer)) {
            Ok(None) => poll_fn(|cx| to.poll_idle(cx)).await,
            sent => sent,
        };
        match sent {
            Ok(Some(sent)) => buffer = sent,
            Ok(None) | Err(_) => break,
        }
    }
    // The other direction may wait in a read that would keep both sockets open.
    pair.over.set(true);
    pair.wakers.borrow().iter().for_each(Waker::wake_by_ref);
}
