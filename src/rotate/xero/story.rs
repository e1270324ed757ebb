//! What an operation did so far with a login, by its journal.
//!
//! Owns the words that stand there for each effect. A round is one refresh token that is sent until it is answered or
//! refused; there is another one where a refusal leaves something else to try.

use crate::journal::Acted;
use crate::xero::{Again, RefreshToken, XeroError};
use jiff::Timestamp;
use std::time::Duration;

pub(super) const INTEND: &str = "intend-";
pub(super) const ASK: &str = "ask-";
pub(super) const TRY: &str = "try";
pub(super) const CLOSE: &str = "close";

/// Of an effect that did what it was for.
pub(super) const DONE: &str = "done";
/// Of an effect that stopped the operation, as the engine writes it down.
const FAILED: &str = "failed: ";

/// What was done.
#[derive(Debug, Default, Clone)]
pub(super) struct Story {
    pub(super) rounds: Vec<Round>,
    /// How many calls were made, in all rounds.
    pub(super) asked: usize,
    /// Why the intent could not be kept in home, where the last one could not.
    pub(super) unkept: Option<String>,
    /// Whether the access token was tried, whatever came out of it.
    pub(super) tried: bool,
    /// Whether home was told that nothing is under way any more, or could not be.
    pub(super) closed: bool,
}

/// One token that is sent.
#[derive(Debug, Default, Clone)]
pub(super) struct Round {
    pub(super) asks: Vec<Ask>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    /// Its number in the operation.
    pub(super) number: usize,
    pub(super) at: Timestamp,
    pub(super) token: RefreshToken,
    pub(super) again: Again,
    /// What Xero said.
    pub(super) told: String,
    pub(super) answered: bool,
}

impl Story {
    pub(super) fn of(acted: &[Acted]) -> Story {
        let mut story = Story::default();
        for one in acted {
            let outcome = one.outcome.as_ref().map(|(text, _)| text.as_str());
            if one.effect.starts_with(INTEND) {
                // One that the process died in, or stopped at, is made again.
                let unkept = outcome.filter(|text| *text != DONE && !text.starts_with(FAILED));
                story.unkept = unkept.map(str::to_owned);
                if outcome == Some(DONE) {
                    story.rounds.push(Round::default());
                    (story.tried, story.closed) = (false, false);
                }
            } else if let Some(number) = one.effect.strip_prefix(ASK) {
                story.asked += 1;
                let number = number.parse().unwrap_or(story.asked);
                if let Some(round) = story.rounds.last_mut() {
                    round.asks.push(read(number, one.at, outcome));
                }
            } else if one.effect == TRY {
                story.tried = is_over(outcome);
            } else if one.effect == CLOSE {
                story.closed = is_over(outcome);
            }
        }
        story
    }

    /// Whether any call may have used up a token without an answer that is known.
    pub(super) fn doubt(&self) -> bool {
        self.rounds.iter().flat_map(|round| &round.asks).any(Ask::doubts)
    }

    /// The last call of all.
    pub(super) fn last(&self) -> Option<&Ask> {
        self.rounds.iter().rev().find_map(|round| round.asks.last())
    }
}

impl Ask {
    pub(super) fn doubts(&self) -> bool {
        !self.answered && self.token == RefreshToken::MayBeSpent
    }
}

/// Whether an effect came to an end: one that stopped the operation is made again.
fn is_over(outcome: Option<&str>) -> bool {
    outcome.is_some_and(|text| !text.starts_with(FAILED))
}

/// What the journal says of a call that failed: what became of the token, whether to ask again, and what was said.
pub(super) fn written(error: &XeroError) -> String {
    let token = match error.refresh_token() {
        RefreshToken::Unspent => "unspent",
        RefreshToken::MayBeSpent => "in-doubt",
        RefreshToken::Refused => "refused",
    };
    let again = match error.again() {
        Again::No => "stop".to_owned(),
        Again::Yes => "again".to_owned(),
        Again::After(wait) => format!("after-{}", wait.as_secs()),
    };
    format!("{token} {again}: {error}")
}

fn read(number: usize, at: Timestamp, outcome: Option<&str>) -> Ask {
    // A process that died in the call leaves the worst.
    let worst = || Ask {
        number,
        at,
        token: RefreshToken::MayBeSpent,
        again: Again::Yes,
        told: "Xero was asked, and what it answered is not known".to_owned(),
        answered: false,
    };
    let Some(text) = outcome else { return worst() };
    if text == DONE {
        return Ask { answered: true, ..worst() };
    }
    let parsed = || {
        let (words, told) = text.split_once(": ")?;
        let (token, again) = words.split_once(' ')?;
        let token = match token {
            "unspent" => RefreshToken::Unspent,
            "refused" => RefreshToken::Refused,
            "in-doubt" => RefreshToken::MayBeSpent,
            _ => return None,
        };
        let again = match again {
            "stop" => Again::No,
            "again" => Again::Yes,
            other => Again::After(Duration::from_secs(other.strip_prefix("after-")?.parse().ok()?)),
        };
        Some(Ask { token, again, told: told.to_owned(), ..worst() })
    };
    parsed().unwrap_or_else(worst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::WebError;

    fn acted(effect: &str, second: i64, outcome: Option<&str>) -> Acted {
        let at = Timestamp::from_second(second).unwrap();
        Acted {
            effect: effect.to_owned(),
            at,
            outcome: outcome.map(|text| (text.to_owned(), at)),
            lasting: false,
        }
    }

    #[test]
    fn what_is_written_of_a_call_is_read_back() {
        let host = || "identity.example".to_owned();
        let errors = [
            XeroError::Unsent(WebError::Unsent { host: host(), reason: "x".to_owned() }),
            XeroError::Unanswered(WebError::Unanswered { host: host(), reason: "x".to_owned() }),
            XeroError::Grant { request: Some("0b3f".to_owned()) },
            XeroError::Client { request: None },
            XeroError::TooOften { wait: Some(Duration::from_secs(37)), problem: None },
            XeroError::Broken { status: 503, request: None },
        ];
        for error in errors {
            let ask = read(1, Timestamp::UNIX_EPOCH, Some(&written(&error)));
            assert_eq!((ask.token, ask.again), (error.refresh_token(), error.again()), "{error}");
            assert_eq!(ask.told, error.to_string());
            assert!(!ask.answered);
        }
    }

    #[test]
    fn a_call_that_the_process_died_in_may_have_used_up_the_token() {
        for outcome in [None, Some("failed: the disk is full"), Some("gibberish")] {
            let story = Story::of(&[acted("intend-1", 1, Some(DONE)), acted("ask-1", 2, outcome)]);
            assert!(story.doubt() && story.asked == 1, "{outcome:?}");
        }
        let answered = Story::of(&[acted("intend-1", 1, Some(DONE)), acted("ask-1", 2, Some(DONE))]);
        assert!(!answered.doubt());
    }

    #[test]
    fn a_trial_or_an_end_that_stopped_the_operation_is_made_again() {
        let told = |effect: &str, outcome| {
            let story = Story::of(&[acted("intend-1", 1, Some(DONE)), acted(effect, 2, outcome)]);
            story.tried || story.closed
        };
        for effect in [TRY, CLOSE] {
            assert!(told(effect, Some(DONE)) && told(effect, Some("not tried: no answer")), "{effect}");
            assert!(!told(effect, None) && !told(effect, Some("failed: `prod`: AccessDenied")), "{effect}");
        }
    }

    #[test]
    fn an_intent_counts_once_it_is_kept() {
        assert_eq!(Story::of(&[acted("intend-1", 1, None)]).rounds.len(), 0);
        let refused = Story::of(&[acted("intend-1", 1, Some("home takes no record: denied"))]);
        assert!(refused.unkept.is_some() && refused.rounds.is_empty());
        let again = Story::of(&[acted("intend-1", 1, None), acted("intend-1", 9, Some(DONE))]);
        assert_eq!((again.rounds.len(), again.unkept), (1, None));
        // In a later round the operation stops there: that is nothing to give up for.
        let answered = [acted("intend-1", 1, Some(DONE)), acted("ask-1", 2, Some(DONE))];
        let stopped = acted("intend-2", 3, Some("failed: `prod`: AccessDenied"));
        let later = Story::of(&[answered.as_slice(), &[stopped]].concat());
        assert_eq!((later.rounds.len(), later.unkept), (1, None));
    }
}
