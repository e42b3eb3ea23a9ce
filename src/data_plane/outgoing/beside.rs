//! Requests beside chat, composed for a deployment that speaks another API than their client: vectors of texts,
//! pictures, counts of tokens.

use super::{Body, Composed, Outgoing, PrepareError, Prepared};
use crate::{
    config::snapshot::Deployment,
    dialects::{
        canonical::{Invalid, Notes, Request, Target, Unsupported},
        embeddings,
        endpoints::ApiEndpoint,
        images, own_names, token_count,
        way_back::WayBack,
        wire::{ClientWire, Dialect, UpstreamWire, Way},
    },
    error::{Failure, Upstream},
    json::view::Value,
    providers::{Auth, traits},
};
use std::{borrow::Cow, cell::Cell, rc::Rc};

impl<'r> Outgoing<'r> {
    /// Where `way` leads at this deployment, for an endpoint that is no chat.
    pub(super) fn way_beside_chat(&self, way: Way, deployment: &Deployment) -> Way {
        let client = match self.entry.endpoint {
            ApiEndpoint::MessagesCountTokens => Some(ClientWire::AnthropicMessages),
            ApiEndpoint::CountTokens => Some(ClientWire::GeminiContent),
            _ => None,
        };
        if let Some(client) = client
            && deployment.dialect == Dialect::Anthropic
            && deployment.provider.dialect != Dialect::Anthropic
        {
            // Of providers that have Anthropic's messages beside an API of their own none is known to count.
            return Way::Estimate(client);
        }
        let lacks = |endpoint| deployment.provider.lacks(deployment.dialect, endpoint);
        match way {
            Way::Same if lacks(self.entry.endpoint) => Way::None,
            Way::Same => self.as_composed(deployment).unwrap_or(way),
            Way::Embeddings { .. } if lacks(ApiEndpoint::Embeddings) => Way::None,
            way => way,
        }
    }

    /// A request of Gemini's that does not go on as it came though the API is the same: it names its model within its body, where
    /// patching does not reach, and that is another one at the deployment; or Vertex AI has another form for it.
    fn as_composed(&self, deployment: &Deployment) -> Option<Way> {
        let Body::Json { bytes, start, .. } = &self.body else { return None };
        let is_vertex = is_vertex(deployment);
        if !is_vertex && self.model_for(deployment) == self.model_asked {
            return None;
        }
        let embeddings = |client| Some(Way::Embeddings { client, upstream: embeddings::UpstreamForm::Gemini });
        match self.entry.endpoint {
            ApiEndpoint::EmbedContent if is_vertex => embeddings(embeddings::ClientForm::GeminiOne),
            ApiEndpoint::BatchEmbedContents => embeddings(embeddings::ClientForm::GeminiBatch),
            ApiEndpoint::CountTokens if token_count::is_within(Value::root(&bytes[*start..])) => {
                Some(Way::Count { client: ClientWire::GeminiContent, upstream: token_count::UpstreamForm::Gemini })
            }
            _ => None,
        }
    }

    pub(super) fn embeddings<'a>(
        &'a self,
        deployment: &'a Deployment,
        client: embeddings::ClientForm,
        upstream: embeddings::UpstreamForm,
    ) -> Result<Prepared<'a>, PrepareError> {
        let text = self.text()?;
        let request = embeddings::parse(client, text).map_err(invalid)?;
        let upstream = match upstream {
            embeddings::UpstreamForm::Gemini if is_vertex(deployment) => embeddings::UpstreamForm::Vertex,
            upstream => upstream,
        };
        let mut notes = Notes::default();
        let mut body = Vec::with_capacity(text.len() + 256);
        let target = self.target(deployment);
        let composed = embeddings::compose(upstream, &request, self.model_asked, &target, &mut notes, &mut body)
            .map_err(unsupported)?;
        Ok(self.beside(deployment, composed.path, body, WayBack::Embeddings(composed.back), notes))
    }

    /// `created_s` is when the client is told that its pictures were made.
    pub(super) fn images<'a>(
        &'a self,
        deployment: &'a Deployment,
        upstream: images::UpstreamForm,
        created_s: u64,
    ) -> Result<Prepared<'a>, PrepareError> {
        let text = self.text()?;
        let request = images::parse(text).map_err(invalid)?;
        let upstream = match upstream {
            images::UpstreamForm::Gemini if is_vertex(deployment) => images::UpstreamForm::Vertex,
            upstream => upstream,
        };
        let mut notes = Notes::default();
        let mut body = Vec::with_capacity(text.len() + 256);
        let target = self.target(deployment);
        let composed =
            images::compose(upstream, &request, created_s, &target, &mut notes, &mut body).map_err(unsupported)?;
        Ok(self.beside(deployment, composed.path, body, WayBack::Images(composed.back), notes))
    }

    pub(super) fn count<'a>(
        &'a self,
        deployment: &'a Deployment,
        client: ClientWire,
        upstream: token_count::UpstreamForm,
    ) -> Result<Prepared<'a>, PrepareError> {
        let request = self.counted(client)?;
        let upstream = match upstream {
            token_count::UpstreamForm::Gemini if is_vertex(deployment) => token_count::UpstreamForm::Vertex,
            upstream => upstream,
        };
        let mut notes = Notes::default();
        let mut body = Vec::with_capacity(self.text()?.len() + 256);
        let target = self.target(deployment);
        let path = token_count::compose(upstream, request, &target, &mut notes, &mut body)
            .map_err(|refusal| unsupported(own_names::of_refusal(client, refusal)))?;
        let back = WayBack::Count(token_count::WayBack { client, upstream });
        Ok(self.beside(deployment, path, body, back, notes))
    }

    /// That the tokens of a request are to be estimated, if it is one.
    pub(super) fn estimated(&self, client: ClientWire) -> PrepareError {
        self.counted(client).map_or_else(|error| error, |_| PrepareError::Estimated(client))
    }

    /// A request whose tokens are counted, parsed once.
    fn counted(&self, client: ClientWire) -> Result<&Request<'r>, PrepareError> {
        let Body::Json { bytes, start, parsed, .. } = &self.body else { return Err(Upstream::NoEndpoint.into()) };
        if let Some(request) = parsed.get() {
            return Ok(request);
        }
        let request = token_count::parse(client, &bytes[*start..]).map_err(invalid)?;
        Ok(parsed.get_or_init(|| Box::new(request)))
    }

    /// The client's JSON body.
    ///
    /// # Errors
    /// It is a form.
    pub fn text(&self) -> Result<&'r [u8], PrepareError> {
        match &self.body {
            Body::Json { bytes, start, .. } => Ok(&bytes[*start..]),
            Body::Multipart(_) | Body::Empty => Err(Upstream::NoEndpoint.into()),
        }
    }

    fn target<'a>(&'a self, deployment: &'a Deployment) -> Target<'a> {
        let model = self.model_for(deployment);
        let traits = match deployment.upstream_model {
            Some(_) => deployment.traits,
            None => traits::of_name(
                deployment.provider,
                deployment.quirks,
                deployment.dialect_of(model),
                deployment.catalog,
                model,
            ),
        };
        Target { model, traits, drops: self.asked.drops }
    }

    fn beside<'a>(
        &'a self,
        deployment: &Deployment,
        path: Cow<'static, str>,
        body: Vec<u8>,
        back: WayBack,
        notes: Notes,
    ) -> Prepared<'a> {
        let body = Rc::new(body);
        Prepared {
            path: match deployment.provider.path_prefix {
                "" => path,
                prefix => [prefix, &path].concat().into(),
            },
            forward: self
                .other_lines((deployment.dialect == Dialect::Anthropic).then_some(UpstreamWire::AnthropicMessages))
                .into(),
            adapted: None,
            composed: Some(Composed {
                // All calls ask for the same.
                further: (1..back.calls()).map(|_| body.clone()).collect(),
                body,
                turn: Cell::new(0),
                back,
                notes,
            }),
        }
    }
}

/// Google's cloud has a form of Gemini's API of its own.
fn is_vertex(deployment: &Deployment) -> bool {
    deployment.provider.auth == Auth::Google
}

fn invalid(invalid: Invalid) -> PrepareError {
    Failure::InvalidRequest { param: Some(invalid.param.into()), code: "invalid_request", message: invalid.message }
        .into()
}

fn unsupported(unsupported: Unsupported) -> PrepareError {
    Upstream::Unsupported { param: unsupported.param, why: unsupported.why }.into()
}
