//! One line of the catalog, read.
//!
//! A line that breaks the rules is `None`, and so not in the catalog; a test holds that there is no such line. What is read are our own
//! files, so nothing says what is wrong with a line: `import.py --check` does.

use super::{
    Checks, Entry, Kind, Model, Set, Word,
    rates::{OffPeak, RateCard, Rates, Stated, Tier, TokenRates, Window},
};

/// The entry that a line describes.
pub fn entry(provider: &'static str, text: &'static str) -> Option<Entry> {
    let (id, rest) = text.split_once(' ')?;
    Some(Entry { provider, id, model: model(rest)? })
}

/// What stands after the id.
fn model(text: &str) -> Option<Model> {
    let mut words = text.split(' ');
    let mut model = Model::unknown(Kind::from_name(words.next()?)?);
    let mut prices = Prices::default();
    for fact in words {
        let (key, value) = fact.split_once('=')?;
        match key {
            "context" => model.context_tokens = Some(value.parse().ok()?),
            "input" => model.input_tokens_max = Some(value.parse().ok()?),
            "output" => model.output_tokens_max = Some(value.parse().ok()?),
            "takes" => model.takes = set(value)?,
            "gives" => model.gives = set(value)?,
            "can" => model.can = set(value)?,
            "cannot" => model.cannot = set(value)?,
            "cache_min" => model.cache_tokens_min = Some(value.parse().ok()?),
            "ends" => model.retires_on = Some(value.parse().ok()?),
            "seen" => {
                let (agree, compared) = value.split_once('/')?;
                model.checks = Checks { agree: agree.parse().ok()?, compared: compared.parse().ok()? };
            }
            _ => prices.take(key, value)?,
        }
    }
    model.rates = prices.card()?;
    Some(model)
}

fn set<W: Word>(names: &str) -> Option<Set<W>> {
    names.split('+').map(W::from_name).collect()
}

/// Prices as they are written. They refer to each other, so they are put together at the end.
#[derive(Default)]
struct Prices<'t> {
    stated: Stated,
    tiers: Option<&'t str>,
    batch: Option<&'t str>,
    off_peak: Option<&'t str>,
    image: Option<u64>,
    second: Option<u64>,
    character: Option<u64>,
    request: Option<u64>,
}

impl<'t> Prices<'t> {
    fn take(&mut self, key: &str, value: &'t str) -> Option<()> {
        let stated = &mut self.stated;
        match key {
            "price" => [stated.input_picousd, stated.output_picousd] = prices(value)?,
            "cached" => [stated.cached_input_picousd] = prices(value)?,
            "write" => [stated.cache_write_5m_picousd, stated.cache_write_1h_picousd] = prices(value)?,
            "thought" => [stated.reasoning_picousd] = prices(value)?,
            "audio" => [stated.audio_input_picousd, stated.audio_output_picousd] = prices(value)?,
            "images" => [stated.image_input_picousd, stated.image_output_picousd] = prices(value)?,
            "tier" => self.tiers = Some(value),
            "batch" => self.batch = Some(value),
            "off_peak" => self.off_peak = Some(value),
            "image" => [self.image] = prices(value)?,
            "second" => [self.second] = prices(value)?,
            "character" => [self.character] = prices(value)?,
            "request" => [self.request] = prices(value)?,
            _ => return None,
        }
        Some(())
    }

    /// The outer `None` is a fault, the inner one a model without prices.
    fn card(self) -> Option<Option<RateCard>> {
        let card = RateCard {
            tokens: match self.stated == Stated::default() {
                true => None,
                false => Some(self.tokens()?),
            },
            image_picousd: self.image,
            second_picousd: self.second,
            character_picousd: self.character,
            request_picousd: self.request,
        };
        Some(Some(card).filter(RateCard::has_prices))
    }

    fn tokens(&self) -> Option<TokenRates> {
        let base = self.stated.rates()?;
        let mut rates = TokenRates::flat(base);
        for text in self.tiers.iter().flat_map(|tiers| tiers.split(',')) {
            let (above, prices) = text.split_once(':')?;
            rates.tiers.push(Tier { above_tokens: above.parse().ok()?, rates: changed(&base, prices)? });
        }
        if let Some(text) = self.batch {
            rates.batch = Some(changed(&base, text)?);
        }
        if let Some(text) = self.off_peak {
            let (prices, windows) = text.split_once('@')?;
            let windows = windows.split(',').map(Window::from_text).collect::<Option<_>>()?;
            rates.off_peak = Some(OffPeak { rates: changed(&base, prices)?, windows });
        }
        Some(rates)
    }
}

/// Up to `N` prices with slashes between them.
fn prices<const N: usize>(text: &str) -> Option<[Option<u64>; N]> {
    let mut prices = [None; N];
    for (index, price) in text.split('/').enumerate() {
        let place = prices.get_mut(index)?;
        if !price.is_empty() {
            *place = Some(price.parse().ok()?);
        }
    }
    Some(prices)
}

/// `base` with other prices of input, output and cached input.
fn changed(base: &Rates, text: &str) -> Option<Rates> {
    let [input_picousd, output_picousd, cached_input_picousd] = prices(text)?;
    Stated { input_picousd, output_picousd, cached_input_picousd, ..Stated::default() }.changing(base)
}
