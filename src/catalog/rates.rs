//! What a model costs: a rate card, and which of its rates a request is charged by.
//!
//! All prices are picodollars for one unit (token, image, second, character, request), so that money is whole numbers throughout: $1 per million
//! tokens is 1,000,000, and $0.0375 is 37,500. Rates are complete: what a provider does not price apart is charged as
//! what it is a part of (a cached token as input, a reasoning token as output).
//!
//! A tier, a batch and an off-peak price usually state input and output alone. The others then change in the same ratio as the input
//! (or the output) does, rounded up. A tier holds for the whole request, not only for the tokens above its bound: so OpenAI,
//! Anthropic and Google charge.

use serde::{Serialize, Serializer};
use std::fmt;

/// Everything that a model is charged by. A price that is 0 is one of 0; a model without any price has no rate card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateCard {
    /// Per token, while no tier and no off-peak window holds; `None` where tokens are not what is charged.
    #[serde(flatten)]
    pub tokens: Option<TokenRates>,
    /// For each image that was made, in picodollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_picousd: Option<u64>,
    /// For each second of sound or pictures, in picodollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_picousd: Option<u64>,
    /// For each character of text that was spoken, in picodollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub character_picousd: Option<u64>,
    /// For each request, in picodollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_picousd: Option<u64>,
}

/// Prices of tokens under all conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRates {
    #[serde(flatten)]
    pub base: Rates,
    /// Ascending by their bound.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// For what is sent as a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Rates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_peak: Option<OffPeak>,
}

/// Rates of requests with many input tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tier {
    /// They hold for requests with more input tokens than this, cached ones included.
    pub above_tokens: u32,
    #[serde(flatten)]
    pub rates: Rates,
}

/// Rates at certain times of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OffPeak {
    #[serde(flatten)]
    pub rates: Rates,
    pub windows: Vec<Window>,
}

/// A span of time on some days of the week, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Bit 0 is Monday.
    pub days: u8,
    /// Minutes from midnight: the first one in it, and the first one after it (at most 1,440).
    pub from_minute: u16,
    pub to_minute: u16,
}

/// Picodollars for a token of each sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rates {
    pub input_picousd: u64,
    pub output_picousd: u64,
    /// Input that was found in the provider's cache.
    pub cached_input_picousd: u64,
    /// Input that was written into the provider's cache, for five minutes (or as long as it keeps it) and for an hour.
    pub cache_write_5m_picousd: u64,
    pub cache_write_1h_picousd: u64,
    pub reasoning_picousd: u64,
    pub audio_input_picousd: u64,
    pub audio_output_picousd: u64,
    pub image_input_picousd: u64,
    pub image_output_picousd: u64,
}

/// Prices as somebody states them, with what was not stated left out; [`Rates`] are what they come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stated {
    pub input_picousd: Option<u64>,
    pub output_picousd: Option<u64>,
    pub cached_input_picousd: Option<u64>,
    pub cache_write_5m_picousd: Option<u64>,
    pub cache_write_1h_picousd: Option<u64>,
    pub reasoning_picousd: Option<u64>,
    pub audio_input_picousd: Option<u64>,
    pub audio_output_picousd: Option<u64>,
    pub image_input_picousd: Option<u64>,
    pub image_output_picousd: Option<u64>,
}

impl Stated {
    /// Rates of their own; `None` without a price of input. Output costs nothing where it has no price: that of embeddings has none.
    pub fn rates(&self) -> Option<Rates> {
        Some(self.over(Rates::of(self.input_picousd?, self.output_picousd.unwrap_or(0))))
    }

    /// `base` under other conditions; `None` without a price of input.
    pub fn changing(&self, base: &Rates) -> Option<Rates> {
        Some(self.over(base.at(self.input_picousd?, self.output_picousd.unwrap_or(0))))
    }

    fn over(&self, rates: Rates) -> Rates {
        Rates {
            cached_input_picousd: self.cached_input_picousd.unwrap_or(rates.cached_input_picousd),
            cache_write_5m_picousd: self.cache_write_5m_picousd.unwrap_or(rates.cache_write_5m_picousd),
            // Where one price is stated it is that of the only way to write.
            cache_write_1h_picousd: self
                .cache_write_1h_picousd
                .or(self.cache_write_5m_picousd)
                .unwrap_or(rates.cache_write_1h_picousd),
            reasoning_picousd: self.reasoning_picousd.unwrap_or(rates.reasoning_picousd),
            audio_input_picousd: self.audio_input_picousd.unwrap_or(rates.audio_input_picousd),
            audio_output_picousd: self.audio_output_picousd.unwrap_or(rates.audio_output_picousd),
            image_input_picousd: self.image_input_picousd.unwrap_or(rates.image_input_picousd),
            image_output_picousd: self.image_output_picousd.unwrap_or(rates.image_output_picousd),
            ..rates
        }
    }
}

impl Rates {
    /// Everything at the price of input or of output.
    pub fn of(input_picousd: u64, output_picousd: u64) -> Rates {
        Rates {
            input_picousd,
            output_picousd,
            cached_input_picousd: input_picousd,
            cache_write_5m_picousd: input_picousd,
            cache_write_1h_picousd: input_picousd,
            reasoning_picousd: output_picousd,
            audio_input_picousd: input_picousd,
            audio_output_picousd: output_picousd,
            image_input_picousd: input_picousd,
            image_output_picousd: output_picousd,
        }
    }

    /// These rates where input and output have other prices.
    pub fn at(&self, input_picousd: u64, output_picousd: u64) -> Rates {
        let input = |rate| in_ratio(rate, input_picousd, self.input_picousd);
        let output = |rate| in_ratio(rate, output_picousd, self.output_picousd);
        Rates {
            input_picousd,
            output_picousd,
            cached_input_picousd: input(self.cached_input_picousd),
            cache_write_5m_picousd: input(self.cache_write_5m_picousd),
            cache_write_1h_picousd: input(self.cache_write_1h_picousd),
            reasoning_picousd: output(self.reasoning_picousd),
            audio_input_picousd: input(self.audio_input_picousd),
            audio_output_picousd: output(self.audio_output_picousd),
            image_input_picousd: input(self.image_input_picousd),
            image_output_picousd: output(self.image_output_picousd),
        }
    }
}

/// `rate * new / old`, rounded up; without an old price there is no ratio, and the new one is charged.
fn in_ratio(rate: u64, new: u64, old: u64) -> u64 {
    if old == 0 {
        return new;
    }
    let scaled = (u128::from(rate) * u128::from(new)).div_ceil(u128::from(old));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

impl TokenRates {
    /// Rates that are the same whatever the request and the time.
    pub fn flat(base: Rates) -> TokenRates {
        TokenRates { base, tiers: Vec::new(), batch: None, off_peak: None }
    }

    /// What a request is charged by: the tier that its input reaches, else the off-peak rates if they hold at `unix_s`, else the base. No
    /// provider has both tiers and off-peak times; one that had is charged the tier, which is the higher.
    pub fn for_request(&self, input_tokens: u64, unix_s: u64) -> &Rates {
        if let Some(tier) = self.tiers.iter().rev().find(|tier| input_tokens > u64::from(tier.above_tokens)) {
            return &tier.rates;
        }
        match &self.off_peak {
            Some(off_peak) if off_peak.windows.iter().any(|window| window.contains(unix_s)) => &off_peak.rates,
            _ => &self.base,
        }
    }
}

impl RateCard {
    /// False for a card that says nothing.
    pub fn has_prices(&self) -> bool {
        let others = [self.image_picousd, self.second_picousd, self.character_picousd, self.request_picousd];
        self.tokens.is_some() || others.iter().any(Option::is_some)
    }
}

impl Window {
    /// Reads `DAYS:FROM-TO`: digits of days, 1 is Monday, and hours and minutes as `0430`.
    pub fn from_text(text: &str) -> Option<Window> {
        let (days, span) = text.split_once(':')?;
        let day = |bits: u8, digit: char| match digit {
            '1'..='7' => Some(bits | 1 << (digit as u8 - b'1')),
            _ => None,
        };
        let minute = |text: &str| {
            // `parse` would take a sign.
            let (hours, minutes) =
                text.split_at_checked(2).filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            let minute = hours * 60 + minutes;
            (text.len() == 4 && minutes < 60 && minute <= 24 * 60).then_some(minute)
        };
        let (from, to) = span.split_once('-')?;
        let (from_minute, to_minute) = (minute(from)?, minute(to)?);
        let days = days.chars().try_fold(0, day)?;
        (days != 0 && from_minute < to_minute).then_some(Window { days, from_minute, to_minute })
    }

    pub fn contains(&self, unix_s: u64) -> bool {
        const DAY_S: u64 = 86_400;
        // 1 January 1970 was a Thursday.
        let weekday = (unix_s / DAY_S + 3) % 7;
        let minute = unix_s % DAY_S / 60;
        self.days >> weekday & 1 == 1 && (u64::from(self.from_minute)..u64::from(self.to_minute)).contains(&minute)
    }
}

/// As [`Window::from_text`] reads it.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for day in (0..7).filter(|day| self.days >> day & 1 == 1) {
            write!(f, "{}", day + 1)?;
        }
        let clock = |minute: u16| (minute / 60, minute % 60);
        let ((from_h, from_m), (to_h, to_m)) = (clock(self.from_minute), clock(self.to_minute));
        write!(f, ":{from_h:02}{from_m:02}-{to_h:02}{to_m:02}")
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
