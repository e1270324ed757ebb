//! What AWS charges, as the manifest tells it: amounts of money, exact to a hundredth of a cent.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

/// US dollars, in hundredths of a cent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

/// Hundredths of a cent in a dollar.
const DOLLAR: u64 = 10_000;

impl Money {
    /// This many cents.
    pub const fn cents(cents: u64) -> Money {
        Money(cents * 100)
    }

    /// What is written as a number of dollars, to the nearest hundredth of a cent; nothing below zero, and nothing that
    /// nobody pays.
    pub(super) fn dollars(dollars: f64) -> Option<Money> {
        let hundredths = (dollars * DOLLAR as f64).round();
        let most = (MOST * DOLLAR) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is within 0 and `most`"
        )]
        (0.0..=most).contains(&hundredths).then_some(Money(hundredths as u64))
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// The most dollars that the manifest takes for a price.
pub(super) const MOST: u64 = 1_000_000;

impl Add for Money {
    type Output = Money;

    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl Mul<usize> for Money {
    type Output = Money;

    fn mul(self, times: usize) -> Money {
        Money(self.0.saturating_mul(times as u64))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(all: I) -> Money {
        all.fold(Money::default(), Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / DOLLAR, self.0 % DOLLAR);
        match rest % 100 {
            0 => f.pad(&format!("${dollars}.{:02}", rest / 100)),
            _ => f.pad(&format!("${dollars}.{rest:04}")),
        }
    }
}

/// Prices that the manifest gives in the place of those that strongroom knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PricesSpec {
    /// A secret of Secrets Manager, a month.
    pub secret: Option<Money>,
    /// An advanced parameter of the Parameter Store, a month.
    pub advanced_parameter: Option<Money>,
    /// 10,000 calls.
    pub calls: Option<Money>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn money_is_written_in_cents_and_finer_only_where_it_is() {
        for (money, text) in [
            (Money::cents(80), "$0.80"),
            (Money::cents(40) * 30, "$12.00"),
            (Money::dollars(0.05).unwrap(), "$0.05"),
            (Money::dollars(0.0005).unwrap(), "$0.0005"),
            (Money::dollars(1.23).unwrap() + Money::dollars(0.0001).unwrap(), "$1.2301"),
            (Money::default(), "$0.00"),
        ] {
            assert_eq!(money.to_string(), text);
        }
        assert_eq!([-0.01, f64::NAN, f64::INFINITY, 1e9].map(Money::dollars), [None; 4]);
    }

    proptest! {
        #[test]
        fn what_is_written_in_cents_is_those_cents(cents in 0_u64..=MOST * 100) {
            let written: f64 = format!("{}.{:02}", cents / 100, cents % 100).parse().unwrap();
            prop_assert_eq!(Money::dollars(written), Some(Money::cents(cents)));
            prop_assert_eq!(Money::cents(cents).to_string(), format!("${}.{:02}", cents / 100, cents % 100));
        }
    }
}
