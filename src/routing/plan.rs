//! The ordered attempts of one exchange.
//!
//! First version: the group's own order, without the deployments that are parked. Capability filters, breakers, load and price
//! join here as further stages over the same candidates; the data plane only walks the result.

use crate::{
    config::snapshot::{Deployment, ModelGroup, Snapshot},
    dialects::{
        endpoints::{Api, ApiEndpoint},
        wire::{Way, way},
    },
    error::{Failure, Upstream},
    limits::ATTEMPTS_MAX,
};

/// Deployments to try, in order. At least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    candidates: [u32; ATTEMPTS_MAX],
    length: usize,
}

/// What a request asks of its candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Only deployments of one upstream model may answer: vectors of different models do not compare.
    pub same_model_only: bool,
    /// Only deployments of this provider may answer, because it keeps what the request goes on from: an account's mark.
    pub account: Option<u64>,
}

/// Why a deployment of the group is not among the candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// It serves another model than the first one.
    OtherModel,
    /// What the request goes on from is kept by another provider.
    OtherProvider,
    /// It is left alone for so long, in milliseconds from now, and why.
    Parked { wait_ms: u64, why: Upstream },
    /// There are enough before it.
    BeyondAttempts,
}

impl Plan {
    pub fn candidates(&self) -> &[u32] {
        &self.candidates[..self.length]
    }
}

/// Orders the candidates of `group`. `parked(deployment)` says how long, in milliseconds from now, and why a deployment may not be
/// tried.
///
/// # Errors
/// When every candidate is parked: the failure for the client, with the smallest wait that helps.
pub fn plan(
    snapshot: &Snapshot,
    group: &ModelGroup,
    facts: Facts,
    parked: impl Fn(u32) -> Option<(u64, Upstream)>,
) -> Result<Plan, Failure> {
    plan_and_tell(snapshot, group, facts, parked, |_, _| {})
}

/// The same; `tell` hears of each deployment that is skipped, in the group's order.
///
/// # Errors
/// As `plan`.
pub fn plan_and_tell(
    snapshot: &Snapshot,
    group: &ModelGroup,
    facts: Facts,
    parked: impl Fn(u32) -> Option<(u64, Upstream)>,
    mut tell: impl FnMut(u32, Skipped),
) -> Result<Plan, Failure> {
    let attempts_max = (group.attempts_max as usize).clamp(1, ATTEMPTS_MAX);
    let mut plan = Plan { candidates: [0; ATTEMPTS_MAX], length: 0 };
    let mut soonest: Option<(u64, Upstream)> = None;
    let model = |index: u32| snapshot.deployments.get(index as usize).map(|deployment| &deployment.upstream_model);
    let first = group.deployments.first().copied();
    for &index in &group.deployments {
        if facts.account.is_some_and(|account| !is_of(snapshot, index, account)) {
            tell(index, Skipped::OtherProvider);
            continue;
        }
        if facts.same_model_only && model(index) != first.and_then(model) {
            tell(index, Skipped::OtherModel);
            continue;
        }
        if plan.length == attempts_max {
            tell(index, Skipped::BeyondAttempts);
            continue;
        }
        match parked(index) {
            Some((wait_ms, why)) => {
                tell(index, Skipped::Parked { wait_ms, why: why.clone() });
                if soonest.as_ref().is_none_or(|(soonest_ms, _)| wait_ms < *soonest_ms) {
                    soonest = Some((wait_ms, why));
                }
            }
            None => {
                plan.candidates[plan.length] = index;
                plan.length += 1;
            }
        }
    }
    if plan.length > 0 {
        return Ok(plan);
    }
    Err(match facts.account {
        Some(_) if soonest.is_none() => Failure::previous_response_elsewhere(),
        _ => none_left(soonest),
    })
}

fn is_of(snapshot: &Snapshot, index: u32, account: u64) -> bool {
    snapshot.deployments.get(index as usize).is_some_and(|deployment| deployment.account_mark() == account)
}

/// Who is asked for a response that a provider keeps: any of its deployments that speaks the API, for they share address and credential.
/// With it comes the group whose deadlines hold, the first one that has the deployment.
///
/// # Errors
/// When all are parked, as `plan`; `None` where the provider has no such deployment.
pub fn plan_kept(
    snapshot: &Snapshot,
    account: u64,
    parked: impl Fn(u32) -> Option<(u64, Upstream)>,
) -> Option<Result<(&ModelGroup, Plan), Failure>> {
    let keeps = |deployment: &&std::sync::Arc<Deployment>| {
        let way = way(ApiEndpoint::Responses, Api::OpenAi, deployment.dialect, deployment.quirks.responses);
        way == Way::Same && deployment.account_mark() == account
    };
    let mut soonest: Option<(u64, Upstream)> = None;
    let mut is_known = false;
    for deployment in snapshot.deployments.iter().filter(keeps) {
        let index = deployment.index;
        let groups = snapshot.groups.values().chain(snapshot.prefixes.iter().map(|(_, group)| group));
        let first = groups.filter(|group| group.deployments.contains(&index)).min_by_key(|group| group.index);
        let Some(group) = first else { continue };
        is_known = true;
        match parked(index) {
            None => {
                let mut plan = Plan { candidates: [0; ATTEMPTS_MAX], length: 1 };
                plan.candidates[0] = index;
                return Some(Ok((group, plan)));
            }
            Some(wait) if soonest.as_ref().is_none_or(|(soonest_ms, _)| wait.0 < *soonest_ms) => soonest = Some(wait),
            Some(_) => {}
        }
    }
    is_known.then(|| Err(none_left(soonest)))
}

/// Every candidate is parked.
fn none_left(soonest: Option<(u64, Upstream)>) -> Failure {
    match soonest {
        Some((wait_ms, Upstream::RateLimited { .. })) => {
            Upstream::RateLimited { retry_after_ms: Some(wait_ms.max(1)) }.into()
        }
        Some((_, why @ Upstream::Credential { .. })) => why.into(),
        Some((wait_ms, _)) => Failure::NoDeployment { retry_after_ms: Some(wait_ms.max(1)) },
        None => Failure::NoDeployment { retry_after_ms: None },
    }
}

#[cfg(test)]
mod tests;
