//! Lists cut into pages by MaxRecords and NextToken.

use super::{Form, Refusal, xml};

/// The page that is asked for, and the NextToken element of what follows; all at once if no size is asked for.
pub(super) fn cut<T>(all: Vec<T>, form: &Form) -> Result<(Vec<T>, String), Refusal> {
    let start = match token(form)? {
        Some(start) if start <= all.len() => start,
        Some(_) => return Err(invalid_token()),
        None => 0,
    };
    let size = size(form)?.unwrap_or(all.len());
    let end = all.len().min(start + size);
    let next = if end < all.len() { next(end) } else { String::new() };
    Ok((all.into_iter().skip(start).take(end - start).collect(), next))
}

/// MaxRecords, 1 to 1,000.
pub(super) fn size(form: &Form) -> Result<Option<usize>, Refusal> {
    let Some(asked) = form.get("MaxRecords") else { return Ok(None) };
    match asked.parse() {
        Ok(size @ 1..=1000) => Ok(Some(size)),
        _ => {
            let message = format!(
                "1 validation error detected: Value '{asked}' at 'maxRecords' failed to satisfy constraint: Member \
                 must have value between 1 and 1000"
            );
            Err(Refusal::new("ValidationError", message))
        }
    }
}

/// The number that a NextToken carries.
pub(super) fn token(form: &Form) -> Result<Option<usize>, Refusal> {
    let Some(token) = form.get("NextToken").filter(|token| !token.is_empty()) else { return Ok(None) };
    let number = token.strip_prefix("page-").and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(invalid_token)
}

/// The NextToken element that carries a number.
pub(super) fn next(number: usize) -> String {
    xml::text("NextToken", &format!("page-{number}"))
}

fn invalid_token() -> Refusal {
    Refusal::new("InvalidParameterValue", "Invalid value for NextToken.")
}
