//! Requests about a response that a provider keeps: what goes on from it, and the calls by its id, which have no body.

use super::{AskedBy, Body, Outgoing, PrepareError, Prepared, versioned};
use crate::{
    config::snapshot::Deployment, data_plane::upstream::Method, dialects::endpoints::EndpointEntry, error::Failure,
    policy::response_ids::KeptResponse, providers::sigv4,
};

/// The response that a request goes on from (`previous_response_id`), or asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Previous {
    None,
    /// A provider keeps it; what the client calls it.
    Kept(KeptResponse, Box<str>),
    /// No provider keeps it for this client: what the client calls it.
    Unknown(Box<str>),
}

impl<'r> Outgoing<'r> {
    /// The call of a stored response by its id.
    pub fn by_id(
        entry: &'static EndpointEntry,
        forward: &'r [u8],
        query: &'r str,
        kept: KeptResponse,
        named: &str,
    ) -> Outgoing<'r> {
        let is_true = |value: &str| value.eq_ignore_ascii_case("true") || value == "1";
        Outgoing {
            entry,
            forward,
            content_type: b"",
            model: "",
            model_asked: "",
            stream: query.split('&').any(|pair| pair.strip_prefix("stream=").is_some_and(is_true)),
            asked: AskedBy { query, ..AskedBy::default() },
            previous: Previous::Kept(kept, named.into()),
            body: Body::Empty,
        }
    }

    /// It is the call of a stored response.
    pub fn is_by_id(&self) -> bool {
        matches!(self.body, Body::Empty)
    }

    /// The provider that has to answer, where only one can: its account's mark.
    pub fn pinned(&self) -> Option<u64> {
        match &self.previous {
            Previous::Kept(kept, _) => Some(kept.account),
            _ => None,
        }
    }

    pub fn method(&self) -> Method {
        match self.body {
            Body::Empty => Method::of_name(self.entry.method),
            _ => Method::Post,
        }
    }

    /// A request about a stored response, which passes to the provider that keeps it.
    #[cold]
    pub(super) fn goes_on(&self, deployment: &Deployment) -> Result<Prepared<'_>, PrepareError> {
        let kept = match &self.previous {
            Previous::Kept(kept, _) => kept,
            Previous::Unknown(id) => return Err(Failure::previous_response_not_found(id).into()),
            Previous::None => return Err(Failure::Internal.into()),
        };
        let mut path = String::from("/responses");
        if self.is_by_id() {
            sigv4::append_segment(&mut path, &kept.id);
            if !self.entry.path.is_empty() {
                sigv4::append_segment(&mut path, self.entry.path);
            }
        } else {
            path = self.entry.path.into();
        }
        let mut path = versioned(path.into(), deployment, self.model_for(deployment)).into_owned();
        // Our own key may stand in the query, as Gemini's clients send it, and the version is the deployment's.
        let is_theirs = |pair: &&str| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            !matches!(name, "" | "key" | "api-version") && !pair.contains('#')
        };
        for pair in self.asked.query.split('&').filter(is_theirs).filter(|_| self.is_by_id()) {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(pair);
        }
        Ok(Prepared { path: path.into(), forward: self.forward.into(), composed: None, adapted: None })
    }
}
