//! Which deployments, in which order. Pure: snapshot, figures and facts in, plan out.

pub mod plan;
