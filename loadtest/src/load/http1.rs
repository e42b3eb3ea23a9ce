//! HTTP/1.1: one exchange at a time.
//!
//! A read that does not fill the buffer has emptied a plaintext socket, which is one system call less per answer than
//! reading until it says so; the epoll set is level-triggered and wakes us again.

use std::io::ErrorKind;
use std::time::Instant;

use super::answer::Answer;
use super::connection::{Begun, Fate, Turn};
use super::exchange::{Exchange, Rules};
use super::request::Outgoing;
use super::transport::Transport;

pub(super) struct Http1 {
    pub transport: Transport,
    exchange: Option<Exchange>,
    answer: Answer,
    request: Outgoing,
    /// Bytes of the request that have been written.
    written: usize,
}

impl Http1 {
    pub fn new(transport: Transport, rules: &Rules) -> Self {
        let answer = Answer::new(rules.body());
        Self { transport, exchange: None, answer, request: Outgoing::default(), written: 0 }
    }

    pub fn is_busy(&self) -> bool {
        self.exchange.is_some()
    }

    pub fn begin(&mut self, due: Instant, now: Instant, turn: &mut Turn) -> Begun {
        self.answer.clear();
        self.written = 0;
        self.exchange = Some(Exchange::new(due, now));
        turn.requests.next(&mut self.request);
        if self.write(turn) { Begun::Yes } else { self.fail("write", turn) }
    }

    /// Writes what is left of the request, as far as there is room. False: nobody takes it.
    fn write(&mut self, turn: &Turn) -> bool {
        let bytes = turn.requests.bytes(&self.request);
        while self.written < bytes.len() {
            match self.transport.write(&bytes[self.written..]) {
                Ok(0) => return false,
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        self.transport.flush().is_ok()
    }

    fn is_written(&self, turn: &Turn) -> bool {
        self.written == turn.requests.bytes(&self.request).len()
    }

    pub fn serve(&mut self, turn: &mut Turn) -> Fate {
        self.transport.wake();
        let writes = if self.exchange.is_some() && !self.is_written(turn) {
            self.write(turn)
        } else {
            self.transport.flush().is_ok()
        };
        // Whoever stops reading may have answered before: that is looked for first.
        match self.read(turn) {
            Fate::Open if !writes && self.exchange.is_some() => self.give_up("write", turn),
            fate => fate,
        }
    }

    fn read(&mut self, turn: &mut Turn) -> Fate {
        loop {
            let count = match self.transport.read(&mut turn.buffer) {
                Ok(0) => return self.on_close(turn),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Fate::Open,
                Err(_) => return self.on_close(turn),
            };
            let Some(exchange) = &mut self.exchange else {
                // Bytes that nobody asked for.
                return Fate::Gone;
            };
            let Ok(progress) = self.answer.feed(&turn.buffer[..count]) else {
                return self.give_up("malformed", turn);
            };
            exchange.note(progress.brought, &mut turn.meter);
            if progress.done {
                return if progress.consumed == count { self.end(turn) } else { self.give_up("malformed", turn) };
            }
            if turn.rules.leaves(exchange, &self.answer.body) {
                turn.meter.left(exchange);
                self.exchange = None;
                turn.ended += 1;
                return Fate::Gone;
            }
            if count < turn.buffer.len() && self.transport.is_plain() {
                return Fate::Open;
            }
        }
    }

    fn on_close(&mut self, turn: &mut Turn) -> Fate {
        if self.exchange.is_none() {
            return Fate::Gone;
        }
        if self.answer.ends_with_connection() {
            let _ = self.end(turn);
            return Fate::Gone;
        }
        let kind = if self.answer.has_begun() { "cut" } else { "closed" };
        self.give_up(kind, turn)
    }

    fn end(&mut self, turn: &mut Turn) -> Fate {
        let now = Instant::now();
        if let Some(exchange) = self.exchange.take() {
            turn.ended += 1;
            turn.ended_at = Some(now);
            turn.rules.settle(&exchange, self.answer.status, &mut self.answer.body, &mut turn.meter, now);
        }
        // An answer that came before its request was out leaves the rest of it in the way.
        if self.answer.closes || !self.is_written(turn) { Fate::Gone } else { Fate::Open }
    }

    fn give_up(&mut self, kind: &str, turn: &mut Turn) -> Fate {
        self.abandon(kind, turn);
        Fate::Gone
    }

    fn fail(&mut self, kind: &str, turn: &mut Turn) -> Begun {
        self.abandon(kind, turn);
        Begun::Failed
    }

    pub fn abandon(&mut self, kind: &str, turn: &mut Turn) {
        if let Some(exchange) = self.exchange.take() {
            turn.ended += 1;
            turn.meter.failed(exchange.due, kind);
        }
    }
}
