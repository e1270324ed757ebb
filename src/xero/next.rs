//! What to do next with one login at Xero, given what is known.
//!
//! Owns the order: an intent with its deadline before the first call, an answer sealed before it is read, the refresh
//! token stored before the access token and the time last, and the old token sent again as long as that can help. It
//! does nothing itself; whoever does the steps looks again after each one.

use super::{Again, RefreshToken};
use jiff::{SignedDuration, Timestamp};

/// How long Xero takes a refresh token again whose answer was lost, from its first use on.
pub const GRACE: SignedDuration = SignedDuration::from_mins(30);
/// The waits between tries; the last one again and again.
const WAITS: [i64; 4] = [2, 5, 15, 60];

/// Which refresh token home holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// The one that this rotation began with.
    Old,
    /// The one of the answer that was sealed; `whole` where access token and time are stored too.
    New {
        /// Whether all three are stored.
        whole: bool,
    },
    /// Another one: somebody else refreshed. `issued` is its access token's own time.
    Theirs {
        /// When it was given, where its access token tells.
        issued: Option<Timestamp>,
    },
}

/// What was sent so far with the old token, as the journal has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// When the first intent was written, which was before the first call.
    pub first: Timestamp,
    /// When the last call was made.
    pub last: Timestamp,
    /// How many calls there were.
    pub tries: usize,
    /// What became of the old token at the last call; a process that died in it leaves the worst.
    pub token: RefreshToken,
    /// Whether the last failure said that asking again helps.
    pub again: Again,
    /// Whether an earlier call may have spent the old token.
    pub doubt: bool,
}

/// What is known.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The time.
    pub now: Timestamp,
    /// When the access token in home ends, where that is known.
    pub expires: Option<Timestamp>,
    /// The life that is enough, where the rotation is only for tokens that are about to end.
    pub enough: Option<SignedDuration>,
    /// What home holds.
    pub home: Home,
    /// What was sent.
    pub sent: Option<Sent>,
    /// Whether an answer is sealed that has been read as a pair, and when its access token was issued.
    pub sealed: Option<Option<Timestamp>>,
    /// Whether the new access token was tried.
    pub tried: bool,
}

/// What a person has to do, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// The answer was lost and the half hour is over: authorise again.
    Lost,
    /// The token was dead before: used elsewhere, not used for 60 days, or taken back: authorise again.
    Refused,
    /// The app's secret or Xero's settings of the app are to be set right; the token is as good as before.
    Unspent,
    /// Something else answers than Xero, and the token may be spent: set the addresses right before the deadline.
    Elsewhere(Timestamp),
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The token in home lives long enough.
    Enough,
    /// Write down that it is going to be sent now, durably and where another host finds it.
    Intend,
    /// Send the old token; seal the answer.
    Ask,
    /// Wait until then.
    Wait(Timestamp),
    /// Store what is not stored yet: refresh token, access token, time.
    Store,
    /// Try the new access token.
    Try,
    /// Somebody else's pair is in home, and is as new: leave it.
    Adopt,
    /// It is done.
    Done,
    /// A person is needed.
    Person(Person),
}

/// What to do next.
pub fn next(facts: &Facts) -> Step {
    match (facts.sealed, facts.home) {
        (Some(_), Home::Old | Home::New { whole: false }) => Step::Store,
        (Some(_), Home::New { whole: true }) => {
            if facts.tried {
                Step::Done
            } else {
                Step::Try
            }
        }
        // Of two pairs of one token only the later may be good. Where nobody knows, what stands in home stays.
        (Some(Some(ours)), Home::Theirs { issued: Some(theirs) }) if ours > theirs => Step::Store,
        (_, Home::Theirs { .. }) if facts.sealed.is_some() || facts.sent.is_some() => Step::Adopt,
        _ => match &facts.sent {
            None => begin(facts),
            Some(sent) => go_on(facts.now, sent),
        },
    }
}

fn begin(facts: &Facts) -> Step {
    let lives =
        |life: SignedDuration| facts.expires.is_some_and(|expires| expires.duration_since(facts.now) > life);
    if facts.enough.is_some_and(lives) { Step::Enough } else { Step::Intend }
}

fn go_on(now: Timestamp, sent: &Sent) -> Step {
    let deadline = sent.first + GRACE;
    match (sent.tries, sent.token, sent.again) {
        (0, ..) => Step::Ask,
        (_, RefreshToken::Refused, _) if sent.doubt => Step::Person(Person::Lost),
        (_, RefreshToken::Refused, _) => Step::Person(Person::Refused),
        (_, RefreshToken::Unspent, Again::No) if !sent.doubt => Step::Person(Person::Unspent),
        (_, _, Again::No) => Step::Person(Person::Elsewhere(deadline)),
        (tries, _, again) => {
            let usual = WAITS[(tries - 1).min(WAITS.len() - 1)];
            let asked = match again {
                Again::After(wait) => i64::try_from(wait.as_secs()).unwrap_or(i64::MAX).max(usual),
                _ => usual,
            };
            let due = sent.last + SignedDuration::from_secs(asked.min(GRACE.as_secs()));
            // One try is left for the last minute, however long Xero wants to be left alone: after it all is lost. And one
            // after the deadline too: perhaps no call has ever arrived.
            let late = deadline - SignedDuration::from_mins(1);
            let due = if sent.last < late && due > late { late } else { due };
            if now < due { Step::Wait(due) } else { Step::Ask }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_356_000 + second).unwrap()
    }

    fn facts(now: i64) -> Facts {
        let home = Home::Old;
        Facts { now: at(now), expires: None, enough: None, home, sent: None, sealed: None, tried: false }
    }

    fn sent(last: i64, tries: usize, token: RefreshToken, again: Again) -> Option<Sent> {
        let doubt = token == RefreshToken::MayBeSpent;
        Some(Sent { first: at(0), last: at(last), tries, token, again, doubt })
    }

    #[test]
    fn a_token_that_lives_long_enough_is_left_alone_and_only_if_that_was_asked_for() {
        let expiring = |expires: Option<i64>| Facts {
            expires: expires.map(at),
            enough: Some(SignedDuration::from_mins(10)),
            ..facts(0)
        };
        assert_eq!(next(&expiring(Some(601))), Step::Enough);
        assert_eq!(next(&expiring(Some(600))), Step::Intend);
        assert_eq!(next(&expiring(None)), Step::Intend);
        assert_eq!(next(&Facts { expires: Some(at(1_700)), ..facts(0) }), Step::Intend);
        // Another one refreshed before this one began: that is the old one of this rotation.
        let before = Facts { home: Home::Theirs { issued: None }, ..facts(0) };
        assert_eq!(next(&before), Step::Intend);
    }

    #[test]
    fn an_intent_is_written_before_a_call_and_a_lost_answer_is_asked_for_until_the_deadline() {
        use RefreshToken::MayBeSpent;
        let intended = Facts { sent: sent(0, 0, MayBeSpent, Again::Yes), ..facts(0) };
        assert_eq!(next(&intended), Step::Ask);
        let lost = |now, last, tries, again| {
            next(&Facts { sent: sent(last, tries, MayBeSpent, again), ..facts(now) })
        };
        assert_eq!(lost(1, 0, 1, Again::Yes), Step::Wait(at(2)));
        assert_eq!(lost(2, 0, 1, Again::Yes), Step::Ask);
        assert_eq!(lost(100, 90, 9, Again::Yes), Step::Wait(at(150)));
        assert_eq!(lost(1, 0, 1, Again::After(Duration::from_secs(37))), Step::Wait(at(37)));
        // Longer than the token is taken: a minute before the end it is sent all the same.
        assert_eq!(lost(1, 0, 1, Again::After(Duration::from_secs(86_400))), Step::Wait(at(1_740)));
        // After the deadline too, once in a while: whether any call arrived, only Xero can tell.
        assert_eq!(lost(7_200, 60, 3, Again::Yes), Step::Ask);
    }

    #[test]
    fn a_refusal_is_a_loss_only_where_an_answer_may_have_been_lost() {
        let refused = sent(9, 1, RefreshToken::Refused, Again::No);
        assert_eq!(next(&Facts { sent: refused, ..facts(9) }), Step::Person(Person::Refused));
        let doubt = refused.map(|sent| Sent { doubt: true, ..sent });
        assert_eq!(next(&Facts { sent: doubt, ..facts(9) }), Step::Person(Person::Lost));
    }

    #[test]
    fn what_a_person_must_set_right_is_not_asked_again() {
        let unspent = sent(9, 1, RefreshToken::Unspent, Again::No);
        assert_eq!(next(&Facts { sent: unspent, ..facts(9) }), Step::Person(Person::Unspent));
        let elsewhere = sent(9, 1, RefreshToken::MayBeSpent, Again::No);
        assert_eq!(next(&Facts { sent: elsewhere, ..facts(9) }), Step::Person(Person::Elsewhere(at(1_800))));
        let both = unspent.map(|sent| Sent { doubt: true, ..sent });
        assert_eq!(next(&Facts { sent: both, ..facts(9) }), Step::Person(Person::Elsewhere(at(1_800))));
    }

    #[test]
    fn a_sealed_pair_is_stored_tried_and_done() {
        let sealed = Facts {
            sealed: Some(None),
            sent: sent(0, 1, RefreshToken::MayBeSpent, Again::Yes),
            ..facts(9_999)
        };
        assert_eq!(next(&sealed), Step::Store);
        assert_eq!(next(&Facts { home: Home::New { whole: false }, ..sealed }), Step::Store);
        let stored = Facts { home: Home::New { whole: true }, ..sealed };
        assert_eq!(next(&stored), Step::Try);
        assert_eq!(next(&Facts { tried: true, ..stored }), Step::Done);
    }

    #[test]
    fn a_pair_of_somebody_else_is_adopted_unless_ours_is_later() {
        let theirs = |issued: Option<i64>| Home::Theirs { issued: issued.map(at) };
        let asked = Facts { sent: sent(0, 1, RefreshToken::Refused, Again::No), ..facts(5) };
        assert_eq!(next(&Facts { home: theirs(None), ..asked }), Step::Adopt);
        let sealed = |ours: Option<i64>| Facts { sealed: Some(ours.map(at)), ..asked };
        assert_eq!(next(&Facts { home: theirs(Some(2)), ..sealed(Some(3)) }), Step::Store);
        assert_eq!(next(&Facts { home: theirs(Some(3)), ..sealed(Some(2)) }), Step::Adopt);
        assert_eq!(next(&Facts { home: theirs(None), ..sealed(Some(2)) }), Step::Adopt);
        assert_eq!(next(&Facts { home: theirs(Some(3)), ..sealed(None) }), Step::Adopt);
    }

    proptest! {
        /// Whatever Xero wants, the old token is sent again before it is too late.
        #[test]
        fn no_wait_goes_past_the_deadline_without_a_last_try(
            last in 0_i64..1_740, tries in 1_usize..50, wait in 0_u64..=u64::MAX, now in 0_i64..1_740,
        ) {
            let again = Again::After(Duration::from_secs(wait));
            let facts = Facts { sent: sent(last, tries, RefreshToken::MayBeSpent, again), ..facts(now) };
            match next(&facts) {
                Step::Ask => {}
                Step::Wait(until) => prop_assert!(until <= at(1_740) && until > facts.now),
                step => prop_assert!(false, "{:?}", step),
            }
        }
    }
}
