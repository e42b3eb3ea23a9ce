use super::{rates::Rates, *};
use crate::providers::registry::PROVIDERS;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_line_is_read() {
    for part in PARTS {
        assert!(part.lines.is_ascii() && part.lines.ends_with('\n'), "{}", part.provider);
        for text in part.lines.lines() {
            assert!(line::entry(part.provider, text).is_some(), "{}: {text}", part.provider);
        }
    }
}

/// The order is what lookups search by.
#[test]
fn providers_and_models_are_sorted_and_unique() {
    assert!(PARTS.is_sorted_by(|a, b| a.provider < b.provider));
    for part in PARTS {
        let ids: Vec<_> = part.lines.lines().map(|line| line.split(' ').next()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{}", part.provider);
    }
}

#[test]
fn at_least_500_models_of_23_providers() {
    let mut counts = BTreeMap::new();
    models().for_each(|entry| *counts.entry(entry.provider).or_insert(0) += 1);
    assert!(counts.len() >= 23, "{counts:?}");
    assert!(counts.values().sum::<usize>() >= 500, "{counts:?}");
    // And with prices that another list confirms.
    let confirmed: Vec<_> = models().filter(|entry| entry.model.checks.agree > 0).collect();
    let providers: BTreeSet<_> = confirmed.iter().map(|entry| entry.provider).collect();
    assert!(confirmed.len() >= 500 && providers.len() >= 23, "{} of {providers:?}", confirmed.len());
}

#[test]
fn every_file_is_part_of_the_program() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/catalog/models");
    let files: BTreeSet<_> = std::fs::read_dir(folder)
        .expect(folder)
        .map(|entry| entry.expect(folder).path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, providers().map(str::to_owned).collect());
}

#[test]
fn facts_are_sane() {
    for Entry { provider, id, model } in models() {
        let name = format!("{provider}/{id}");
        assert!(id.len() <= crate::limits::MODEL_BYTES_MAX && !id.contains('*'), "{name}");
        assert!(model.can.without(model.cannot) == model.can, "{name} both can and cannot");
        assert!(model.checks.agree <= model.checks.compared, "{name}");
        assert!(!model.takes.is_empty(), "{name}");
        assert!(model.kind != Kind::Embedding || model.output_tokens_max.is_none(), "{name}");
        assert!(model.gives.contains(Modality::Embedding) == (model.kind == Kind::Embedding), "{name}");
        for tokens in [model.context_tokens, model.input_tokens_max, model.output_tokens_max].into_iter().flatten() {
            assert!((100..=20_000_000).contains(&tokens), "{name}: {tokens} tokens");
        }
        if let (Some(input), Some(context)) = (model.input_tokens_max, model.context_tokens) {
            assert!(input < context, "{name}");
        }
        // The first model was sold in 2020; a date far off is a slip.
        let ends = model.retires_on.map_or(2026, |date| date.year());
        assert!((2026..2036).contains(&ends), "{name} ends in {ends}");
    }
}

#[test]
fn prices_are_sane() {
    /// $1,000 per million tokens, above the dearest model there has been.
    const TOKEN_PICOUSD_MAX: u64 = 1_000_000_000;
    let check = |name: &str, rates: &Rates| {
        let highest = [
            rates.input_picousd,
            rates.output_picousd,
            rates.cache_write_5m_picousd,
            rates.cache_write_1h_picousd,
            rates.reasoning_picousd,
            rates.audio_input_picousd,
            rates.audio_output_picousd,
        ];
        assert!(highest.iter().all(|price| *price <= TOKEN_PICOUSD_MAX), "{name}: {rates:?}");
        assert!(rates.cached_input_picousd <= rates.input_picousd, "{name}: {rates:?}");
        assert!(rates.cache_write_5m_picousd <= rates.cache_write_1h_picousd, "{name}: {rates:?}");
    };
    for Entry { provider, id, model } in models() {
        let name = format!("{provider}/{id}");
        let card = model.rates.unwrap_or_else(|| panic!("{name} has no price"));
        let Some(tokens) = &card.tokens else { continue };
        check(&name, &tokens.base);
        assert!(tokens.tiers.is_sorted_by(|a, b| a.above_tokens < b.above_tokens), "{name}");
        for tier in &tokens.tiers {
            check(&name, &tier.rates);
            assert!(tier.rates.input_picousd > tokens.base.input_picousd, "{name}: {tier:?}");
            // Equal for Claude Sonnet 4.5, whose window is longer for those who ask for it by a header.
            assert!(model.context_tokens.is_none_or(|context| tier.above_tokens <= context), "{name}: {tier:?}");
        }
        if let Some(batch) = &tokens.batch {
            check(&name, batch);
            assert!(batch.input_picousd <= tokens.base.input_picousd, "{name}: {batch:?}");
        }
        if let Some(off_peak) = &tokens.off_peak {
            check(&name, &off_peak.rates);
            assert!(off_peak.rates.input_picousd <= tokens.base.input_picousd, "{name}: {off_peak:?}");
        }
    }
}

#[test]
fn every_listed_model_is_found_by_its_own_name() {
    for entry in models() {
        assert_eq!(find(entry.provider, entry.id).as_ref(), Some(&entry));
    }
}

#[test]
fn names_of_the_same_model() {
    let check = |provider: &str, id: &str, expected: &str| {
        let found = find(provider, id).map(|entry| entry.id);
        assert_eq!(found.unwrap_or("none"), expected, "{provider}/{id}");
    };
    check("openai", "gpt-5.4", "gpt-5.4");
    check("openai", "gpt-5.4-2026-03-05", "gpt-5.4-2026-03-05");
    check("openai", "gpt-5.4-2031-01-31", "gpt-5.4");
    check("anthropic", "claude-opus-4-8-20260601", "claude-opus-4-8");
    check("anthropic", "claude-opus-4-8-latest", "claude-opus-4-8");
    check("vertex", "claude-opus-5@20260601", "claude-opus-5");
    check("vertex", "publishers/anthropic/models/claude-opus-5@default", "claude-opus-5@default");
    check("gemini", "models/gemini-2.5-pro", "gemini-2.5-pro");
    check("bedrock", "us.anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8");
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.anthropic.claude-opus-4-8";
    check("bedrock", arn, "anthropic.claude-opus-4-8");
    // Listed with its date only.
    check("openai", "gpt-4o-audio-preview", "gpt-4o-audio-preview-2025-06-03");
    check("openai", "gpt-4o-audio-preview-latest", "gpt-4o-audio-preview-2025-06-03");
    // Parts of a name that look like marks, and what is no model of this provider.
    check("mistral", "codestral-2031", "none");
    check("openai", "ft:gpt-4o-mini:us::id", "none");
    check("openai", "models/gpt-4o", "none");
    check("anthropic", "us.claude-opus-4-8", "none");
    check("openai", "gpt-4", "none");
    check("nobody", "gpt-4o", "none");
    for id in ["", "-", "-20260101", "-latest", "@default", "ä-2026-01-01", "gpt-4o\n", " ", "zzz", "!"] {
        check("openai", id, "none");
    }
}

proptest! {
    /// Clients choose names, so any text may be looked up. What is listed is found as it is, whatever else is close to it.
    #[test]
    fn any_name_may_be_looked_up(part in 0..PARTS.len(), line in 0usize..1000, cut in 0usize..40, tail in ".{0,12}") {
        let part = &PARTS[part];
        let ids: Vec<&str> = part.lines.lines().filter_map(|line| line.split(' ').next()).collect();
        let id = ids[line % ids.len()];
        let name = format!("{}{tail}", &id[..id.len() - cut.min(id.len())]);
        let found = find(part.provider, &name).map(|entry| entry.id);
        if ids.contains(&name.as_str()) {
            prop_assert_eq!(found, Some(name.as_str()));
        } else {
            prop_assert!(found.is_none_or(|id| ids.contains(&id)));
        }
    }
}

/// DeepSeek charges half outside of its busy hours.
#[test]
fn off_peak_times_of_deepseek() {
    let entry = find("deepseek", "deepseek-v4-pro").expect("listed");
    let tokens = entry.model.rates.and_then(|card| card.tokens).expect("priced");
    let check = |time: &str, input_picousd: u64| {
        let time: jiff::Timestamp = time.parse().expect(time);
        let rates = tokens.for_request(1000, time.as_second() as u64);
        assert_eq!(rates.input_picousd, input_picousd, "{time}");
        assert_eq!(rates.output_picousd, input_picousd * 3, "{time}");
        assert_eq!(rates.cached_input_picousd, input_picousd / 30, "{time}");
    };
    check("2026-11-23T00:59:00Z", 660_000);
    check("2026-11-23T01:00:00Z", 1_320_000);
    check("2026-11-23T04:00:00Z", 660_000);
    check("2026-11-23T06:00:00Z", 1_320_000);
    check("2026-11-23T10:00:00Z", 660_000);
    check("2026-11-22T02:00:00Z", 660_000);
}

/// What dialects ask for.
#[test]
fn how_claude_and_gemini_think() {
    let check = |provider: &str, id: &str, capability: Capability, expected: Option<bool>| {
        let model = find(provider, id).expect(id).model;
        assert_eq!(model.has(capability), expected, "{id} {}", capability.name());
    };
    check("anthropic", "claude-opus-4-8", Capability::AdaptiveThinking, Some(true));
    check("anthropic", "claude-opus-4-8", Capability::ThinkingBudget, Some(false));
    check("anthropic", "claude-opus-4-8", Capability::Sampling, Some(false));
    check("anthropic", "claude-opus-4-6", Capability::AdaptiveThinking, Some(true));
    check("anthropic", "claude-opus-4-6", Capability::ThinkingBudget, Some(true));
    check("anthropic", "claude-haiku-4-5", Capability::AdaptiveThinking, Some(false));
    check("anthropic", "claude-haiku-4-5", Capability::Sampling, None);
    check("gemini", "gemini-2.5-pro", Capability::ThinkingBudget, Some(true));
    check("gemini", "gemini-3.5-flash", Capability::ThinkingLevel, Some(true));
    check("openai", "gpt-5.4", Capability::AdaptiveThinking, None);
    assert_eq!(find("anthropic", "claude-opus-4-8").and_then(|entry| entry.model.output_tokens_max), Some(128_000));
}

/// What a start without a configuration offers is described, for providers that are in the catalog and models that are still sold.
#[test]
fn the_registry_names_models_that_are_listed() {
    let unsold = ["deepseek-chat", "deepseek-reasoner"];
    let missing: Vec<_> = PROVIDERS
        .iter()
        .filter(|provider| providers().any(|listed| listed == provider.id))
        .flat_map(|provider| provider.models.iter().map(|id| (provider.id, *id)))
        .filter(|(provider, id)| find(provider, id).is_none() && !unsold.contains(id))
        .collect();
    assert_eq!(missing, Vec::<(&str, &str)>::new());
}
