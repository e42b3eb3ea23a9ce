//! Several calls as one: their heads as the first one's, their answers as [`crate::dialects::lanes`].
//!
//! The answer begins when all have begun: until then, one that fails or is refused speaks for all of them, and the others are cancelled, so
//! that the attempt can fail as a whole. After that a call that breaks off breaks the answer off. Data are taken from the calls in turn.
//!
//! Dropping it cancels what has not ended; a call that has ended gives its connection back at once.

use super::{Call, answer_head::AnswerHead};
use crate::{dialects::lanes, error::Upstream};
use std::task::{Context, Poll};

pub struct Calls {
    lanes: Vec<Lane>,
    /// The lane that speaks for all, with its data as they come.
    only: Option<usize>,
    /// Whose turn it is.
    next: usize,
    /// The present run of data, and how much of it has been taken.
    run: Vec<u8>,
    taken: usize,
}

struct Lane {
    /// `None` once its answer has ended.
    call: Option<Call>,
    head: Option<AnswerHead>,
}

impl Calls {
    /// At most 256, which is more than are made.
    pub fn new(calls: Vec<Call>) -> Calls {
        let lanes = calls.into_iter().map(|call| Lane { call: Some(call), head: None }).collect();
        Calls { lanes, only: None, next: 0, run: Vec::new(), taken: 0 }
    }

    /// The call that speaks for all.
    fn only(&self) -> Option<&Call> {
        self.lanes.get(self.only?)?.call.as_ref()
    }

    fn only_mut(&mut self) -> Option<&mut Call> {
        self.lanes.get_mut(self.only?)?.call.as_mut()
    }

    pub fn poll_head(&mut self, cx: &mut Context<'_>, head: &mut AnswerHead) -> Poll<Result<(), Upstream>> {
        for index in 0..self.lanes.len() {
            let Lane { call: Some(call), head: held @ None } = &mut self.lanes[index] else { continue };
            let mut own = AnswerHead::default();
            let Poll::Ready(read) = call.poll_head(cx, &mut own) else { continue };
            read?;
            if !(200..300).contains(&own.status) {
                self.only = Some(index);
                self.cancel_others(index);
                *head = own;
                return Poll::Ready(Ok(()));
            }
            *held = Some(own);
        }
        if self.lanes.iter().any(|lane| lane.head.is_none()) {
            return Poll::Pending;
        }
        let first = self.lanes.first_mut().and_then(|lane| lane.head.take());
        *head = first.unwrap_or_default();
        Poll::Ready(Ok(()))
    }

    fn cancel_others(&mut self, speaker: usize) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if index != speaker {
                lane.call = None;
            }
        }
    }

    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Upstream>> {
        if self.only.is_some() {
            return self.only_mut().map_or(Poll::Ready(Ok(false)), |call| call.poll_data(cx));
        }
        if !self.data().is_empty() {
            return Poll::Ready(Ok(true));
        }
        self.run.clear();
        self.taken = 0;
        let count = self.lanes.len();
        for index in (self.next..count).chain(0..self.next) {
            let lane = &mut self.lanes[index];
            let Some(call) = &mut lane.call else { continue };
            match call.poll_data(cx) {
                Poll::Pending => continue,
                Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
                Poll::Ready(Ok(true)) => {
                    let data = call.data();
                    let bytes = data.len();
                    lanes::append(index as u8, data, &mut self.run);
                    call.consume(bytes);
                }
                Poll::Ready(Ok(false)) => {
                    lanes::append(index as u8, &[], &mut self.run);
                    if let Some(call) = lane.call.take() {
                        call.finish();
                    }
                }
            }
            self.next = (index + 1) % count;
            return Poll::Ready(Ok(true));
        }
        if self.lanes.iter().all(|lane| lane.call.is_none()) { Poll::Ready(Ok(false)) } else { Poll::Pending }
    }

    pub fn data(&self) -> &[u8] {
        match self.only() {
            Some(call) => call.data(),
            None => &self.run[self.taken..],
        }
    }

    pub fn consume(&mut self, bytes: usize) {
        match self.only_mut() {
            Some(call) => call.consume(bytes),
            None => self.taken += bytes,
        }
    }

    pub fn data_is_last(&mut self) -> bool {
        self.only_mut().is_some_and(Call::data_is_last)
    }

    /// Any of them is: all are made again then.
    pub fn is_reused(&self) -> bool {
        self.lanes.iter().filter_map(|lane| lane.call.as_ref()).any(Call::is_reused)
    }

    pub fn finish(mut self) {
        if let Some(call) = self.only.and_then(|index| self.lanes.get_mut(index)).and_then(|lane| lane.call.take()) {
            call.finish();
        }
    }
}
