//! Operations that stopped midway.

use super::finding::Finding;
use crate::journal::{Standing, Summary};

/// What was begun and is neither finished nor taken back. `strongroom` is how the command is typed here.
pub fn unfinished(operations: &[Summary], strongroom: &str) -> Vec<Finding> {
    let open = operations.iter().filter(|summary| summary.standing == Standing::Unfinished);
    open.map(|summary| {
        let Summary { id, command, done, total, lasting, .. } = summary;
        let mut goes_on = format!("`{strongroom} resume {id}` finishes it");
        if !lasting {
            goes_on.push_str(&format!(", `{strongroom} undo {id}` takes it back"));
        }
        Finding::problem(
            "unfinished-operation",
            format!("operation {id} ({command}) is unfinished: {done} of {total}"),
        )
        .why("some places have the new values and some the old ones, and the next change of those is refused")
        .fix(goes_on)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OperationId;
    use jiff::Timestamp;

    #[test]
    fn an_operation_is_told_with_the_commands_that_end_it_unless_it_ended() {
        let summary = |standing, goes_on: Option<&str>| Summary {
            id: OperationId::parse("20260102-030405-k3x9pq").unwrap(),
            at: Timestamp::UNIX_EPOCH,
            command: "set app/KEY".to_owned(),
            undoes: None,
            goes_on: goes_on.map(str::to_owned),
            targets: Vec::new(),
            home: None,
            done: 1,
            total: 2,
            touched: true,
            rests: false,
            lasting: false,
            standing,
        };
        let told =
            |summary| unfinished(&[summary], "strongroom -e prod").pop().and_then(|finding| finding.fix);
        let fix = told(summary(Standing::Unfinished, None)).unwrap();
        assert!(fix.contains("`strongroom -e prod resume 20260102-030405-k3x9pq`"), "{fix}");
        let fix = told(summary(Standing::Unfinished, Some("strongroom rotate x"))).unwrap();
        assert!(fix.contains("`strongroom -e prod resume 20260102-030405-k3x9pq`"), "{fix}");
        assert!(fix.contains("`strongroom -e prod undo 20260102-030405-k3x9pq`"), "{fix}");
        let fix = told(Summary { lasting: true, ..summary(Standing::Unfinished, None) }).unwrap();
        assert!(!fix.contains("undo"), "what cannot be taken back is not offered to be: {fix}");
        assert_eq!(told(summary(Standing::Done, None)), None);
        assert_eq!(told(summary(Standing::Running, None)), None);
    }
}
