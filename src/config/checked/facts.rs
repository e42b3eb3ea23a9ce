//! Checks of `[catalog."provider/model"]`, and what the operator's facts come to over the built-in ones.
//!
//! A record begins with what the built-in catalog says of the model it names in `like`, else of its own name, else with nothing. What is
//! given replaces that fact; `can` and `cannot` add to what is known; `price` replaces the rate card as a whole, because half
//! of one over half of another would be a price that nobody has set.

use super::{accounts::Account, models::CheckedDeployment};
use crate::{
    catalog::{
        self, Kind, Model, Set, Word,
        rates::{OffPeak, RateCard, Rates, Stated, Tier, TokenRates, Window},
    },
    config::{
        diagnostic::{Report, nearest},
        raw,
        tree::join,
    },
};
use std::collections::BTreeMap;

/// The operator's models by "provider/model", complete.
pub(super) fn facts(
    config: &raw::Config,
    accounts: &[Account],
    deployments: &[CheckedDeployment],
    report: &mut Report<'_>,
) -> BTreeMap<String, Model> {
    let mut models = BTreeMap::new();
    for (name, raw) in &config.catalog {
        let path = join("catalog", name);
        let Some((account, id)) = account(name, config, accounts, &path, report) else { continue };
        let used = deployments.iter().any(|deployment| {
            accounts.get(deployment.account).is_some_and(|of| of.path == account.path)
                && deployment.model.as_deref().is_none_or(|model| model == id)
        });
        if !used {
            report.warn(
                &path,
                "no model uses it",
                "the name is that of a deployment: a name from [providers], '/', and the model",
            );
        }
        if *raw == raw::CatalogModel::default() {
            report.error_help(&path, "this says nothing", "give the facts that differ, or remove it");
        }
        models.insert(name.clone(), model(raw, account, id, &path, report));
    }
    models
}

/// The account that a record is for, and the model's id there; `None` after an error.
fn account<'a, 'n>(
    name: &'n str,
    config: &raw::Config,
    accounts: &'a [Account],
    path: &str,
    report: &mut Report<'_>,
) -> Option<(&'a Account, &'n str)> {
    let names = || config.providers.keys().map(String::as_str);
    let Some((provider, id)) = name.split_once('/').filter(|(_, id)| !id.is_empty() && !id.contains('*')) else {
        let message = format!("{} does not name one model of a provider", report.quote(path, name));
        report.error_help(path, message, "write [catalog.\"provider/model\"], for example \"openai/gpt-4o\"");
        return None;
    };
    let account = names().position(|known| known == provider).and_then(|position| accounts.get(position));
    if account.is_none() {
        let message = format!("there is no provider {}", report.quote(path, provider));
        let help = match nearest(provider, names()) {
            Some(known) => format!("did you mean '{known}/{id}'?"),
            None => {
                format!("the name before the '/' is one from [providers]: {}", names().collect::<Vec<_>>().join(", "))
            }
        };
        report.error_help(path, message, help);
    }
    Some((account?, id))
}

fn model(raw: &raw::CatalogModel, account: &Account, id: &str, path: &str, report: &mut Report<'_>) -> Model {
    let start = match &raw.like {
        Some(like) => like_model(like, &join(path, "like"), report),
        None => catalog::find(account.catalog, id).map(|entry| entry.model),
    };
    let mut model = start.unwrap_or_else(|| Model::unknown(Kind::Chat));
    model.kind = raw.kind.unwrap_or(model.kind);
    model.context_tokens = raw.context_tokens.or(model.context_tokens);
    model.input_tokens_max = raw.input_tokens_max.or(model.input_tokens_max);
    model.output_tokens_max = raw.output_tokens_max.or(model.output_tokens_max);
    model.takes = raw.takes.as_deref().map_or(model.takes, set);
    model.gives = raw.gives.as_deref().map_or(model.gives, set);
    let (can, cannot) = (set(&raw.can), set(&raw.cannot));
    if let Some(both) = can.iter().find(|word| cannot.contains(*word)) {
        let message = format!("'{}' is in 'can' and in 'cannot'", both.name());
        report.error_help(&join(path, "cannot"), message, "remove it from one of the two");
    }
    model.can = model.can.with_all(can).without(cannot);
    model.cannot = model.cannot.with_all(cannot).without(can);
    model.cache_tokens_min = raw.cache_tokens_min.or(model.cache_tokens_min);
    if let Some(text) = &raw.retires_on {
        let path = join(path, "retires_on");
        match text.parse().ok().filter(|_| text.len() == "2027-01-31".len()) {
            Some(date) => model.retires_on = Some(date),
            None => {
                let message = format!("{} is not a day", report.quote(&path, text));
                report.error_help(&path, message, "for example 2027-01-31");
            }
        }
    }
    if let Some(price) = &raw.price {
        model.rates = card(price, &join(path, "price"), report);
        // Nobody has compared these.
        model.checks = catalog::Checks::default();
    }
    model
}

fn set<W: Word>(words: &[W]) -> Set<W> {
    words.iter().copied().collect()
}

fn like_model(like: &str, path: &str, report: &mut Report<'_>) -> Option<Model> {
    let (provider, id) = like.split_once('/').unwrap_or((like, ""));
    let found = catalog::find(provider, id);
    if found.is_none() {
        let message = format!("the catalog has no model {}", report.quote(path, like));
        let ids = catalog::models().filter(|entry| entry.provider == provider).map(|entry| entry.id);
        let help = match nearest(id, ids) {
            Some(known) => format!("did you mean '{provider}/{known}'?"),
            None => match nearest(provider, catalog::providers()) {
                Some(known) if known != provider => format!("did you mean '{known}/{id}'?"),
                _ => "'ringway models' lists what there is".to_owned(),
            },
        };
        report.error_help(path, message, help);
    }
    Some(found?.model)
}

fn card(raw: &raw::Price, path: &str, report: &mut Report<'_>) -> Option<RateCard> {
    let stated = Stated {
        input_picousd: raw.input_picousd,
        output_picousd: raw.output_picousd,
        cached_input_picousd: raw.cached_input_picousd,
        cache_write_5m_picousd: raw.cache_write_5m_picousd,
        cache_write_1h_picousd: raw.cache_write_1h_picousd,
        reasoning_picousd: raw.reasoning_picousd,
        audio_input_picousd: raw.audio_input_picousd,
        audio_output_picousd: raw.audio_output_picousd,
        image_input_picousd: raw.image_input_picousd,
        image_output_picousd: raw.image_output_picousd,
    };
    let conditions = !raw.tiers.is_empty() || raw.batch.is_some() || raw.off_peak.is_some();
    if (stated != Stated::default() || conditions)
        && (stated.input_picousd.is_none() || stated.output_picousd.is_none())
    {
        let help =
            "give input_picousd and output_picousd (0 where it costs nothing); $1 per million tokens is 1_000_000";
        report.error_help(path, "prices of tokens need one of input and one of output", help);
    }
    let card = RateCard {
        tokens: stated.rates().map(|base| tokens(raw, base, path, report)),
        image_picousd: raw.image_picousd,
        second_picousd: raw.second_picousd,
        character_picousd: raw.character_picousd,
        request_picousd: raw.request_picousd,
    };
    if *raw == raw::Price::default() {
        report.error_help(
            path,
            "there is no price in it",
            "give input_picousd and output_picousd, or what else is charged",
        );
    }
    Some(card).filter(RateCard::has_prices)
}

fn tokens(raw: &raw::Price, base: Rates, path: &str, report: &mut Report<'_>) -> TokenRates {
    let mut rates = TokenRates::flat(base);
    for (index, tier) in raw.tiers.iter().enumerate() {
        if rates.tiers.last().is_some_and(|before: &Tier| before.above_tokens >= tier.above_tokens) {
            let path = format!("{path}.tiers[{index}].above_tokens");
            report.error_help(
                &path,
                format!("{} does not rise", tier.above_tokens),
                "write tiers from the lowest bound to the highest",
            );
        }
        let changed = changed(&base, tier.input_picousd, tier.output_picousd, tier.cached_input_picousd);
        rates.tiers.push(Tier { above_tokens: tier.above_tokens, rates: changed });
    }
    if let Some(batch) = &raw.batch {
        rates.batch = Some(changed(&base, batch.input_picousd, batch.output_picousd, batch.cached_input_picousd));
    }
    if let Some(raw) = &raw.off_peak {
        let mut windows = Vec::with_capacity(raw.windows.len());
        for (index, text) in raw.windows.iter().enumerate() {
            let path = format!("{path}.off_peak.windows[{index}]");
            match Window::from_text(text) {
                Some(window) => windows.push(window),
                None => {
                    let message = format!("{} is not a time of the week", report.quote(&path, text));
                    let help = "days (1 is Monday), ':', from and to in UTC: \"12345:1000-2400\", \"67:0000-2400\"";
                    report.error_help(&path, message, help);
                }
            }
        }
        let rates_off_peak = changed(&base, raw.input_picousd, raw.output_picousd, raw.cached_input_picousd);
        rates.off_peak = Some(OffPeak { rates: rates_off_peak, windows });
    }
    rates
}

fn changed(base: &Rates, input_picousd: u64, output_picousd: u64, cached_input_picousd: Option<u64>) -> Rates {
    let changed = base.at(input_picousd, output_picousd);
    Rates { cached_input_picousd: cached_input_picousd.unwrap_or(changed.cached_input_picousd), ..changed }
}
