//! Who holds a lease that is kept in the versions of one parameter: the decision, without a call.
//!
//! Parameter Store has no compare-and-swap: a put always wins, and only its version number tells what it followed. So
//! each version carries a mark that names the version it was put after, and the mark of that version. It counts only
//! where both are true; all others are of somebody who came too late, and are passed over. A mark that counts cannot be
//! made to by repeating a call, losing its answer or reading late; nor by deleting the parameter and making it anew.
//! The simulation beside this file tries all of that.

use serde::{Deserialize, Serialize};

/// What tells a version of the lease from every other, and what its writer had seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Never used twice.
    pub(super) nonce: String,
    /// The version that its writer saw; 0 where nothing was there.
    pub(super) base: i64,
    /// The nonce of that version.
    pub(super) after: Option<String>,
}

/// What a look at the versions says of an own put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts.
    Won,
    /// It never will.
    Lost,
    /// The versions that decide are not to be seen (yet).
    Unseen,
}

/// Whether a version counts; `before` is the mark of the version just before it.
pub(super) fn counts(version: i64, mark: &Mark, before: Option<&Mark>) -> bool {
    mark.base == version - 1 && mark.after.as_deref() == before.map(|before| before.nonce.as_str())
}

/// What became of a put: `at` is the mark of the version just after the one that it was made from, `before` of that one.
pub(super) fn verdict(mine: &Mark, at: Option<&Mark>, before: Option<&Mark>) -> Verdict {
    match at {
        None => Verdict::Unseen,
        Some(at) if at != mine => Verdict::Lost,
        Some(_) if counts(mine.base + 1, mine, before) => Verdict::Won,
        Some(_) if before.is_none() && mine.base > 0 => Verdict::Unseen,
        Some(_) => Verdict::Lost,
    }
}

/// Where in a run of versions, oldest first, the newest one is that counts. The predecessor of the oldest one that is
/// kept is not known any more, and is taken for what it was said to be.
pub(super) fn newest_that_counts(versions: &[(i64, &Mark)]) -> Option<usize> {
    let counts_at = |at: &usize| {
        let (version, mark) = versions[*at];
        match at.checked_sub(1).map(|before| versions[before]) {
            Some((number, before)) if number == version - 1 => counts(version, mark, Some(before)),
            Some(_) => false,
            None if version == 1 => counts(version, mark, None),
            None => mark.base == version - 1,
        }
    };
    (0..versions.len()).rev().find(counts_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(nonce: &str, base: i64, after: Option<&str>) -> Mark {
        Mark { nonce: nonce.to_owned(), base, after: after.map(str::to_owned) }
    }

    #[test]
    fn a_version_that_came_too_late_is_passed_over() {
        let (a, b) = (mark("a", 0, None), mark("b", 1, Some("a")));
        let (late, next) = (mark("late", 1, Some("a")), mark("next", 3, Some("late")));
        assert_eq!(newest_that_counts(&[(1, &a), (2, &b), (3, &late)]), Some(1));
        assert_eq!(newest_that_counts(&[(1, &a), (2, &b), (3, &late), (4, &next)]), Some(3));
        assert_eq!(newest_that_counts(&[]), None);
    }

    #[test]
    fn the_same_number_after_another_version_is_not_the_same() {
        let mine = mark("mine", 1, Some("first life"));
        let before = mark("second life", 0, None);
        assert_eq!(verdict(&mine, Some(&mine), Some(&before)), Verdict::Lost);
        assert_eq!(verdict(&mine, Some(&mine), Some(&mark("first life", 0, None))), Verdict::Won);
        assert_eq!(verdict(&mine, Some(&before), None), Verdict::Lost);
        assert_eq!(verdict(&mine, None, None), Verdict::Unseen);
        assert_eq!(verdict(&mine, Some(&mine), None), Verdict::Unseen);
    }

    #[test]
    fn an_own_put_with_an_older_base_at_the_deciding_version_does_not_count() {
        let (first, second) = (mark("first try", 4, Some("x")), mark("second try", 5, Some("y")));
        assert_eq!(verdict(&second, Some(&first), Some(&mark("y", 4, Some("x")))), Verdict::Lost);
    }
}
