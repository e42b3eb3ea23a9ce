//! One connection of the driver and the exchange that it carries, if any.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::answer::{Answer, Progress};
use super::exchange::Exchange;

pub(super) struct Connection {
    pub socket: TcpStream,
    pub exchange: Option<Exchange>,
    pub answer: Answer,
    /// Bytes of the request that have been written.
    written: usize,
    /// Whether the epoll set waits for room to write.
    pub waits_for_room: bool,
    /// Which of the prepared requests it sends.
    pub request: usize,
    pub is_dead: bool,
}

/// What reading a socket until it was empty brought.
pub(super) enum Read1 {
    /// The answer goes on.
    More,
    Done,
    /// The peer closed, or reset.
    Closed,
    Malformed,
}

impl Connection {
    /// Connects, blocking: connections are made before they are measured, or after an error.
    pub fn open(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            exchange: None,
            answer: Answer::default(),
            written: 0,
            waits_for_room: false,
            request: 0,
            is_dead: false,
        })
    }

    /// Begins an exchange. True: the request is written; false: the rest must wait for room.
    pub fn begin(&mut self, due: Instant, now: Instant, request: &[u8]) -> io::Result<bool> {
        self.answer.clear();
        self.written = 0;
        self.exchange = Some(Exchange::new(due, now));
        self.write(request)
    }

    /// Writes what is left of the request. True once all is written.
    pub fn write(&mut self, request: &[u8]) -> io::Result<bool> {
        while self.written < request.len() {
            match self.socket.write(&request[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads what has come. `on_progress` hears of each piece, with the exchange to which it belongs.
    pub fn read(&mut self, buffer: &mut [u8], mut on_progress: impl FnMut(&mut Exchange, Progress)) -> Read1 {
        loop {
            let count = match self.socket.read(buffer) {
                Ok(0) => return Read1::Closed,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Read1::More,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Read1::Closed,
            };
            let Some(exchange) = self.exchange.as_mut() else {
                // Bytes that nobody asked for.
                return Read1::Malformed;
            };
            let Ok(progress) = self.answer.feed(&buffer[..count]) else {
                return Read1::Malformed;
            };
            on_progress(exchange, progress);
            if progress.done {
                return if progress.consumed == count { Read1::Done } else { Read1::Malformed };
            }
            if count < buffer.len() {
                // The socket is empty: the set is level-triggered, so that more wakes us again.
                return Read1::More;
            }
        }
    }
}
