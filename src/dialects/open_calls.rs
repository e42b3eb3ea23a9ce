//! Calls of tools that a stream has begun and not ended, for streams that number blocks of content rather than calls.
//!
//! A call whose input came in no fragment has the empty object for its input: whoever closes it is told to say so.

use crate::limits::OPEN_BLOCKS_MAX;

#[derive(Debug, Default)]
pub struct OpenCalls {
    open: Vec<OpenCall>,
    /// Calls that have begun.
    begun: u32,
}

#[derive(Debug)]
struct OpenCall {
    /// The block's number in the stream.
    index: u64,
    call: u32,
    has_input: bool,
}

impl OpenCalls {
    /// The number of the call that begins with the block `index`; `None` if more are open than anybody needs.
    pub fn begin(&mut self, index: u64) -> Option<u32> {
        if self.open.len() >= OPEN_BLOCKS_MAX {
            return None;
        }
        let call = self.begun;
        self.begun += 1;
        self.open.push(OpenCall { index, call, has_input: false });
        Some(call)
    }

    /// The call that a fragment of input in the block `index` belongs to.
    pub fn input(&mut self, index: u64) -> Option<u32> {
        let open = self.open.iter_mut().find(|open| open.index == index)?;
        open.has_input = true;
        Some(open.call)
    }

    /// Ends the block `index`, and tells its call if that has had no input.
    pub fn close(&mut self, index: u64) -> Option<u32> {
        let place = self.open.iter().position(|open| open.index == index)?;
        let open = self.open.swap_remove(place);
        (!open.has_input).then_some(open.call)
    }
}
