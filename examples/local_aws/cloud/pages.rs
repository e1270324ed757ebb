//! Pages of lists: sizes, tokens, and AWS's freedom to return less than was asked for.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How full pages are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pages {
    /// As many as were asked for.
    #[default]
    Full,
    /// The second page is empty and the third short, and there is always more; AWS may do so at any time.
    Ragged,
}

/// A token that was not given for this list.
pub(crate) struct BadToken;

impl Pages {
    /// The items behind a token and the token of the next page. A page that is exactly full at the end of the list has
    /// a token all the same, and an empty page follows. `scope` says what is listed: a token is good for that only.
    pub(crate) fn page<T>(
        self,
        items: Vec<T>,
        token: Option<&str>,
        scope: &str,
        size: usize,
    ) -> Result<(Vec<T>, Option<String>), BadToken> {
        let mut hasher = DefaultHasher::new();
        scope.hash(&mut hasher);
        let scope = hasher.finish();
        let (number, start) = match token {
            None => (0, 0),
            Some(token) => opened(token, scope).ok_or(BadToken)?,
        };
        let size = match (self, number) {
            (Pages::Ragged, 1) => 0,
            (Pages::Ragged, 2) => size.div_ceil(3),
            _ => size,
        };
        let total = items.len();
        let page: Vec<T> = items.into_iter().skip(start).take(size).collect();
        let end = start + page.len();
        let more = end < total || (page.len() == size && total > 0);
        Ok((page, more.then(|| format!("{scope:016x}-{:x}-{end:x}", number + 1))))
    }
}

fn opened(token: &str, scope: u64) -> Option<(usize, usize)> {
    let mut parts = token.split('-').map(|part| u64::from_str_radix(part, 16).ok());
    let (own, number, start) = (parts.next()??, parts.next()??, parts.next()??);
    let is_whole = own == scope && parts.next().is_none();
    if is_whole { Some((usize::try_from(number).ok()?, usize::try_from(start).ok()?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(pages: Pages, total: usize, size: usize) -> Vec<usize> {
        let (mut sizes, mut token, mut seen) = (Vec::new(), None, 0);
        loop {
            let all = (0..total).collect::<Vec<_>>();
            let (page, next) = pages.page(all, token.as_deref(), "here", size).ok().unwrap();
            assert_eq!(page, (seen..seen + page.len()).collect::<Vec<_>>());
            seen += page.len();
            sizes.push(page.len());
            token = next;
            if token.is_none() {
                assert_eq!(seen, total);
                return sizes;
            }
        }
    }

    #[test]
    fn a_walk_sees_everything_whatever_the_pages_are() {
        assert_eq!(walk(Pages::Full, 0, 10), [0]);
        assert_eq!(walk(Pages::Full, 7, 10), [7]);
        assert_eq!(walk(Pages::Full, 20, 10), [10, 10, 0]);
        assert_eq!(walk(Pages::Ragged, 25, 10), [10, 0, 4, 10, 1]);
    }

    #[test]
    fn a_token_is_good_for_its_own_list_only() {
        let (_, token) = Pages::Full.page(vec![1, 2, 3], None, "here", 2).ok().unwrap();
        assert!(Pages::Full.page(vec![1, 2, 3], token.as_deref(), "there", 2).is_err());
        assert!(Pages::Full.page(vec![1, 2, 3], Some("made-up"), "here", 2).is_err());
    }
}
