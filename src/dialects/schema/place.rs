//! Where in the client's schema something stands, as a JSON pointer that costs nothing until it is shown.

use crate::limits::SCHEMA_POINTER_BYTES_MAX;
use std::fmt;

#[derive(Debug, Clone, Copy)]
pub enum Place<'p> {
    Root,
    Below(&'p Place<'p>, &'p str),
    /// An element of a list.
    At(&'p Place<'p>, usize),
}

impl<'p> Place<'p> {
    pub fn below(&'p self, step: &'p str) -> Place<'p> {
        Place::Below(self, step)
    }

    /// The pointer, cut where it is too long to be read.
    pub fn shown(&self) -> String {
        let mut pointer = self.to_string();
        if pointer.len() > SCHEMA_POINTER_BYTES_MAX {
            let end = (0..=SCHEMA_POINTER_BYTES_MAX).rev().find(|end| pointer.is_char_boundary(*end)).unwrap_or(0);
            pointer.truncate(end);
            pointer.push_str("...");
        }
        pointer
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => f.write_str("#"),
            Place::Below(parent, step) => {
                write!(f, "{parent}/")?;
                // A name longer than what is shown is not looked at further.
                for letter in step.chars().take(SCHEMA_POINTER_BYTES_MAX + 1) {
                    match letter {
                        '~' => f.write_str("~0")?,
                        '/' => f.write_str("~1")?,
                        letter => write!(f, "{letter}")?,
                    }
                }
                Ok(())
            }
            Place::At(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}
