//! `ringway models`: the catalog, with what a configuration says over it, filtered, as a table or as JSON.
//!
//! A filter lets through what is known to fit: a model whose context or price is not known is not shown where one is asked for. Prices in
//! the table are dollars per million tokens, or for one of something else; JSON has them all, in picodollars.

use super::ModelsArgs;
use crate::{
    catalog::{
        self, Capability, Kind, Modality, Model, Word,
        rates::{RateCard, TokenRates},
    },
    config::{
        diagnostic::{Diagnostic, nearest},
        interpolate::Process,
        origin::{Origin, Overrides},
    },
};
use serde::Serialize;
use std::{collections::BTreeMap, process::ExitCode};

/// One line of the list.
#[derive(Debug, Serialize)]
struct Listed {
    provider: String,
    id: String,
    /// The operator said something about it.
    configured: bool,
    #[serde(flatten)]
    model: Model,
}

pub fn run(args: ModelsArgs) -> ExitCode {
    let listed = match list(&args) {
        Ok(listed) => listed,
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            return ExitCode::FAILURE;
        }
    };
    let known: Vec<&str> = listed.iter().map(|listed| listed.provider.as_str()).collect();
    if let Some(name) = args.provider.iter().find(|name| !known.contains(&name.as_str())) {
        let help = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean '{meant}'?"),
            None => "'ringway models' lists them all".to_owned(),
        };
        eprintln!("error: no model of a provider '{name}' is known\n  help: {help}");
        return ExitCode::FAILURE;
    }
    let total = listed.len();
    let shown: Vec<Listed> = listed.into_iter().filter(|listed| fits(listed, &args)).collect();
    eprintln!("{} of {total} models", shown.len());
    if args.json {
        return match serde_json::to_string_pretty(&shown) {
            Ok(text) => super::print(&(text + "\n")),
            Err(error) => {
                eprintln!("error: the list cannot be written: {error}");
                ExitCode::FAILURE
            }
        };
    }
    super::print(&table(&shown))
}

/// Everything that is known, by provider and id. A model that the configuration describes stands under the name of its account.
fn list(args: &ModelsArgs) -> Result<Vec<Listed>, Vec<Diagnostic>> {
    let mut models: BTreeMap<(String, String), (bool, Model)> = catalog::models()
        .map(|entry| ((entry.provider.to_owned(), entry.id.to_owned()), (false, entry.model)))
        .collect();
    if let Some(path) = &args.config {
        let origin = Origin::settle(Some(path), Overrides::default()).map_err(|error| vec![error])?;
        let (snapshot, _) = origin.load(&Process, 1, None, &[])?;
        for (name, model) in &snapshot.catalog {
            if let Some((account, id)) = name.split_once('/') {
                models.insert((account.to_owned(), id.to_owned()), (true, Model::clone(model)));
            }
        }
    }
    let listed = |((provider, id), (configured, model))| Listed { provider, id, configured, model };
    Ok(models.into_iter().map(listed).collect())
}

fn fits(listed: &Listed, args: &ModelsArgs) -> bool {
    let Listed { provider, id, model, .. } = listed;
    let name = format!("{provider}/{id}").to_lowercase();
    let tokens = model.rates.as_ref().and_then(|card| card.tokens.as_ref());
    (args.provider.is_empty() || args.provider.contains(provider))
        && args.pattern.as_ref().is_none_or(|pattern| matches(&name, &pattern.to_lowercase()))
        && args.kind.is_none_or(|kind| model.kind == kind)
        && args.capability.iter().all(|wanted| wanted.is_of(model))
        && args.context_min.is_none_or(|min| model.context_tokens.is_some_and(|context| context >= min))
        && args.price_max.is_none_or(|max| {
            let dearest = tokens.map(|rates| rates.base.input_picousd.max(rates.base.output_picousd));
            dearest.is_some_and(|price| price <= max)
        })
}

/// True if the pieces between the pattern's stars occur in this order.
fn matches(name: &str, pattern: &str) -> bool {
    let mut rest = Some(name);
    for piece in pattern.split('*') {
        rest = rest.and_then(|rest| rest.find(piece).map(|at| &rest[at + piece.len()..]));
    }
    rest.is_some()
}

/// What `--capability` can ask for: a capability, or something that goes in or comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Can(Capability),
    Takes(Modality),
    Gives(Modality),
}

/// Words for what goes in and comes out.
const MODALITIES: &[(&str, Wanted)] = &[
    ("vision", Wanted::Takes(Modality::Image)),
    ("audio", Wanted::Takes(Modality::Audio)),
    ("video", Wanted::Takes(Modality::Video)),
    ("pdf", Wanted::Takes(Modality::Pdf)),
    ("image_output", Wanted::Gives(Modality::Image)),
    ("audio_output", Wanted::Gives(Modality::Audio)),
    ("video_output", Wanted::Gives(Modality::Video)),
];

impl Wanted {
    fn is_of(self, model: &Model) -> bool {
        match self {
            // Price lists name only the models that refuse them.
            Wanted::Can(Capability::Sampling) => {
                model.kind == Kind::Chat && model.has(Capability::Sampling) != Some(false)
            }
            Wanted::Can(capability) => model.can.contains(capability),
            Wanted::Takes(modality) => model.takes.contains(modality),
            Wanted::Gives(modality) => model.gives.contains(modality),
        }
    }
}

/// Reads one name of `--capability`.
pub fn wanted(text: &str) -> Result<Wanted, String> {
    let known = Capability::from_name(text).map(Wanted::Can);
    let known = known.or_else(|| MODALITIES.iter().find(|(name, _)| *name == text).map(|(_, wanted)| *wanted));
    known.ok_or_else(|| {
        let modalities = MODALITIES.iter().map(|(name, _)| *name);
        let names: Vec<_> = Capability::ALL.iter().map(|word| word.name()).chain(modalities).collect();
        format!("one of {}", names.join(", "))
    })
}

/// Reads `--kind`.
pub fn kind(text: &str) -> Result<Kind, String> {
    Kind::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

/// Reads dollars per million tokens as picodollars per token, which are whole at six decimal places.
pub fn usd(text: &str) -> Result<u64, String> {
    let help = || "dollars with at most six decimal places, for example 2.5".to_owned();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() > 9
        || fraction.len() > 6
        || !digits(whole)
        || !digits(fraction)
        || text.len() == text.matches('.').count()
    {
        return Err(help());
    }
    format!("{whole}{fraction:0<6}").parse().map_err(|_| help())
}

/// One line per model, columns aligned.
fn table(models: &[Listed]) -> String {
    const HEADER: [&str; 10] =
        ["MODEL", "KIND", "CONTEXT", "OUTPUT", "IN $/M", "OUT $/M", "CHECKED", "RETIRES", "TAKES", "CAN"];
    let rows: Vec<[String; 10]> = std::iter::once(HEADER.map(str::to_owned)).chain(models.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            // Numbers end below each other.
            match column {
                2..=5 => text.push_str(&format!("{gap}{cell:>width$}", width = widths[column])),
                9 => text.push_str(&format!("{gap}{cell}")),
                _ => text.push_str(&format!("{gap}{cell:width$}", width = widths[column])),
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn row(listed: &Listed) -> [String; 10] {
    let Listed { provider, id, configured, model } = listed;
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let (input, output) = prices(model.rates.as_ref());
    let checks = model.checks;
    let checked = match (configured, checks.compared) {
        (true, _) => "configured".to_owned(),
        (false, 0) => "-".to_owned(),
        (false, compared) => format!("{}/{compared}", checks.agree),
    };
    [
        format!("{provider}/{id}"),
        model.kind.name().to_owned(),
        or_dash(model.context_tokens.map(|tokens| tokens.to_string())),
        or_dash(model.output_tokens_max.map(|tokens| tokens.to_string())),
        or_dash(input),
        or_dash(output),
        checked,
        or_dash(model.retires_on.map(|date| date.to_string())),
        or_dash(Some(model.takes.to_string())),
        or_dash(Some(model.can.to_string())),
    ]
}

/// What stands in the two columns of prices. `+` behind a price: more is charged for long prompts; `-`: less at certain times.
fn prices(card: Option<&RateCard>) -> (Option<String>, Option<String>) {
    let Some(card) = card else { return (None, None) };
    if let Some(TokenRates { base, tiers, off_peak, .. }) = &card.tokens {
        let marks = format!("{}{}", if tiers.is_empty() { "" } else { "+" }, if off_peak.is_some() { "-" } else { "" });
        let shown = |picousd: u64| Some(format!("{}{marks}", decimal(picousd, 6)));
        return (shown(base.input_picousd), shown(base.output_picousd));
    }
    let units = [
        ("image", card.image_picousd),
        ("second", card.second_picousd),
        ("character", card.character_picousd),
        ("request", card.request_picousd),
    ];
    let priced = units.into_iter().filter_map(|(unit, price)| Some(format!("{}/{unit}", decimal(price?, 12))));
    (Some(priced.collect::<Vec<_>>().join(" ")), None)
}

/// `number` with so many decimal places, without zeros at its end: picodollars for a token are dollars per million tokens at six.
fn decimal(number: u64, places: u32) -> String {
    let unit = 10_u64.pow(places);
    let text = format!("{}.{:0width$}", number / unit, number % unit, width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
