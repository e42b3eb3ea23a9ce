//! One line of the catalog, read.
//!
//! A line that breaks the rules is `None`, and so not in the catalog; a test holds that there is no such line. What is read are our own
//! files, so nothing says what is wrong with a line: `import.py --check` does.

use super::{
    Checks, Entry, Kind, Model, Set, Word,
    rates::{OffPeak, RateCard, Rates, Tier, TokenRates, Window},
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
    base: Option<Stated>,
    cached: Option<u64>,
    thought: Option<u64>,
    write: Option<Stated>,
    audio: Option<Stated>,
    images: Option<Stated>,
    batch: Option<Stated>,
    tiers: Option<&'t str>,
    off_peak: Option<&'t str>,
    image: Option<u64>,
    second: Option<u64>,
    character: Option<u64>,
    request: Option<u64>,
}

/// Up to three prices with slashes between them.
type Stated = [Option<u64>; 3];

impl<'t> Prices<'t> {
    fn take(&mut self, key: &str, value: &'t str) -> Option<()> {
        match key {
            "price" => self.base = Some(stated(value)?),
            "cached" => self.cached = Some(value.parse().ok()?),
            "thought" => self.thought = Some(value.parse().ok()?),
            "write" => self.write = Some(stated(value)?),
            "audio" => self.audio = Some(stated(value)?),
            "images" => self.images = Some(stated(value)?),
            "batch" => self.batch = Some(stated(value)?),
            "tier" => self.tiers = Some(value),
            "off_peak" => self.off_peak = Some(value),
            "image" => self.image = Some(value.parse().ok()?),
            "second" => self.second = Some(value.parse().ok()?),
            "character" => self.character = Some(value.parse().ok()?),
            "request" => self.request = Some(value.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    /// The outer `None` is a fault, the inner one a model without prices.
    fn card(self) -> Option<Option<RateCard>> {
        let tokens = match self.base {
            Some([Some(input), output, None]) => Some(self.tokens(Rates::of(input, output.unwrap_or(0)))?),
            Some(_) => return None,
            None => None,
        };
        let card = RateCard {
            tokens,
            image_picousd: self.image,
            second_picousd: self.second,
            character_picousd: self.character,
            request_picousd: self.request,
        };
        Some(Some(card).filter(RateCard::has_prices))
    }

    fn tokens(&self, mut base: Rates) -> Option<TokenRates> {
        let [write_5m, write_1h, _] = self.write.unwrap_or_default();
        let [audio_input, audio_output, _] = self.audio.unwrap_or_default();
        let [image_input, image_output, _] = self.images.unwrap_or_default();
        let stated = [
            (self.cached, &mut base.cached_input_picousd),
            (write_5m, &mut base.cache_write_5m_picousd),
            // Where one price is stated it is that of the only way to write.
            (write_1h.or(write_5m), &mut base.cache_write_1h_picousd),
            (self.thought, &mut base.reasoning_picousd),
            (audio_input, &mut base.audio_input_picousd),
            (audio_output, &mut base.audio_output_picousd),
            (image_input, &mut base.image_input_picousd),
            (image_output, &mut base.image_output_picousd),
        ];
        for (price, rate) in stated {
            *rate = price.unwrap_or(*rate);
        }
        let tiers = self.tiers.map(|tiers| tiers.split(',').map(|text| tier(&base, text)).collect::<Option<Vec<_>>>());
        Some(TokenRates {
            base,
            tiers: match tiers {
                Some(tiers) => tiers?,
                None => Vec::new(),
            },
            batch: match self.batch {
                Some(batch) => Some(changed(&base, batch)?),
                None => None,
            },
            off_peak: match self.off_peak {
                Some(text) => Some(off_peak(&base, text)?),
                None => None,
            },
        })
    }
}

fn stated(text: &str) -> Option<Stated> {
    let mut prices = Stated::default();
    for (index, price) in text.split('/').enumerate() {
        let place = prices.get_mut(index)?;
        if !price.is_empty() {
            *place = Some(price.parse().ok()?);
        }
    }
    Some(prices)
}

/// `base` with other prices of input, output and cached input.
fn changed(base: &Rates, [input, output, cached]: Stated) -> Option<Rates> {
    let mut rates = base.at(input?, output.unwrap_or(0));
    rates.cached_input_picousd = cached.unwrap_or(rates.cached_input_picousd);
    Some(rates)
}

fn tier(base: &Rates, text: &str) -> Option<Tier> {
    let (above, prices) = text.split_once(':')?;
    Some(Tier { above_tokens: above.parse().ok()?, rates: changed(base, stated(prices)?)? })
}

fn off_peak(base: &Rates, text: &str) -> Option<OffPeak> {
    let (prices, windows) = text.split_once('@')?;
    let windows = windows.split(',').map(Window::from_text).collect::<Option<_>>()?;
    Some(OffPeak { rates: changed(base, stated(prices)?)?, windows })
}
