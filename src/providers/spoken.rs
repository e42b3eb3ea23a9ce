//! In which APIs the models of a kind can be asked: its usual one, and those that an operator may choose in its place (`dialect` in the
//! configuration). Its entry in the registry names them all, where the provider's documents say that it has the API.

use super::{Auth, Provider};
use crate::dialects::wire::Dialect;

/// An API that a kind has.
#[derive(Debug, Clone, Copy)]
pub struct Spoken {
    pub dialect: Dialect,
    /// Base URL including the version segment; empty where the operator has to give it.
    pub base_url: &'static str,
    pub auth: Auth,
}

impl Spoken {
    /// What a kind is asked in where the operator does not choose.
    pub fn usual(provider: &Provider) -> Spoken {
        Spoken { dialect: provider.dialect, base_url: provider.base_url, auth: provider.auth }
    }

    /// All that a kind speaks, the usual one first.
    pub fn all(provider: &Provider) -> impl Iterator<Item = Spoken> {
        let others = provider.others.iter().map(|other| Spoken {
            dialect: other.dialect,
            base_url: other.base_url.unwrap_or(provider.base_url),
            auth: other.auth.unwrap_or(provider.auth),
        });
        std::iter::once(Spoken::usual(provider)).chain(others)
    }

    pub fn find(provider: &Provider, dialect: Dialect) -> Option<Spoken> {
        Spoken::all(provider).find(|spoken| spoken.dialect == dialect)
    }
}

/// A dialect that a kind speaks besides its usual one.
#[derive(Debug, Clone, Copy)]
pub struct Other {
    pub(super) dialect: Dialect,
    /// `None`: where its usual API is.
    base_url: Option<&'static str>,
    /// `None`: as its usual API.
    auth: Option<Auth>,
}

/// One that is spoken where the usual one is.
pub const fn there(dialect: Dialect) -> Other {
    Other { dialect, base_url: None, auth: None }
}

/// One that is spoken at an address of its own.
pub const fn elsewhere(dialect: Dialect, base_url: &'static str, auth: Auth) -> Other {
    Other { dialect, base_url: Some(base_url), auth: Some(auth) }
}

#[cfg(test)]
mod tests;
