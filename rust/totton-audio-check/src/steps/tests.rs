use std::time::{Instant, SystemTime};

use totton_protocol::Telemetry;

use super::*;
use crate::answers::{Answers, Said, Unanswered};

/// Answers nothing.
struct Silence;

impl Answers for Silence {
    fn run(&self, program: &str, _: &[&str]) -> Result<Said, Unanswered> {
        Err(Unanswered::Absent(format!("{program} is not here")))
    }

    fn telemetry(&self) -> Result<Telemetry, Unanswered> {
        Err(Unanswered::Failed("no daemon".into()))
    }
}

fn empty(folder: &std::path::Path) -> Arc<Device> {
    Arc::new(Device::new(folder, SystemTime::now(), Box::new(Silence)))
}

const fn plan(look: fn(&Device) -> Result<Finding, Unread>) -> Plan {
    Plan { id: "x", group: Group::Board, title: "X", expected: "x", jetson: false, look }
}

#[test]
fn a_step_that_hangs_is_left_and_the_others_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let hangs = plan(|_| {
        thread::sleep(Duration::from_secs(60));
        Ok(Finding::ok(""))
    });
    let panics = plan(|_| panic!("on purpose"));
    let fine = plan(|_| Ok(Finding::ok("fine")));
    let begin = Instant::now();
    let one = Duration::from_millis(100);
    let plans = [&hangs, &panics, &fine, &hangs, &fine];
    let report = take(plans.into_iter(), &empty(folder.path()), one, Duration::from_secs(20));
    assert!(begin.elapsed() < Duration::from_secs(10));
    let verdicts: Vec<_> = report.steps.iter().map(|step| step.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Failed, Verdict::Failed, Verdict::Ok, Verdict::Failed, Verdict::Ok]
    );
    assert!(report.steps[0].found.starts_with("no answer within"), "{:?}", report.steps[0]);
    assert_eq!(report.exit_code(), 1);

    // All together have a limit, too.
    let plans = [&hangs, &fine];
    let report = take(plans.into_iter(), &empty(folder.path()), one, one);
    assert!(report.steps[1].found.starts_with("not looked at"), "{:?}", report.steps[1]);
}

#[test]
fn each_step_has_a_name_of_its_own_and_groups_stay_together() {
    let mut ids: Vec<_> = plans().map(|plan| plan.id).collect();
    let number = ids.len();
    assert!(number >= 30, "{number}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), number);
    let mut groups: Vec<_> = plans().map(|plan| format!("{:?}", plan.group)).collect();
    groups.dedup();
    let runs = groups.len();
    groups.sort();
    groups.dedup();
    assert_eq!(groups.len(), runs, "a group that is come back to");
    assert!(plans().all(|plan| !plan.expected.is_empty() && plan.title.len() <= 24));
}

#[test]
fn whatever_is_missing_each_step_says_something() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::new(folder.path(), SystemTime::UNIX_EPOCH, Box::new(Silence));
    let report = check(device);
    for step in &report.steps {
        match step.verdict {
            Verdict::NotHere => assert!(step.why.is_some(), "{step:?}"),
            Verdict::Ok => assert!(!step.found.is_empty(), "{step:?}"),
            Verdict::Warning | Verdict::Failed => assert!(step.action.is_some(), "{step:?}"),
        }
    }
}
