//! What a change costs in calls.

use super::{World, address, desired};
use std::fmt::Write as _;
use std::time::Duration;
use strongroom::name::Address;
use strongroom::plan::Desired;
use strongroom::store::Store;

#[test]
fn a_value_costs_one_call_and_a_change_of_it_four() {
    let world = World::new();
    world.set(&[("app/A", Some("1"))]).unwrap();
    assert_eq!(world.calls(), ["GetParameters", "PutParameter", "GetParameters"], "nothing to look up");

    world.cloud.reset_calls();
    assert_eq!(world.read(&["app/A"]).entries.len(), 1);
    assert_eq!(world.calls(), ["GetParameters"]);

    world.cloud.reset_calls();
    world.set(&[("app/A", Some("2"))]).unwrap();
    assert_eq!(world.calls(), ["GetParameters", "DescribeParameters", "PutParameter", "GetParameters"]);

    world.cloud.reset_calls();
    world.set(&[("app/A", Some("2"))]).unwrap();
    assert_eq!(world.calls(), ["GetParameters"], "what is there already is not written again");
    assert_eq!(world.held("/shop/prod/app/A").unwrap().version, 2);
}

#[test]
fn a_thousand_parameters_of_250_groups_are_a_hundred_calls_of_which_eight_are_under_way() {
    let mut text = "version = 1\nproject.name = \"shop\"\nenvironments.prod.home = \"ssm\"\n\
                    environments.prod.quota = { reads = 5000, writes = 5000 }\n"
        .to_owned();
    let mut addresses: Vec<Address> = Vec::new();
    for group in 0..250 {
        writeln!(text, "[groups.g{group}.keys]\nA = {{}}\nB = {{}}\nC = {{}}\nD = {{}}").unwrap();
        addresses.extend(["A", "B", "C", "D"].map(|key| address(&format!("g{group}/{key}"))));
    }
    let world = World::of(&text);
    for address in &addresses {
        world.seed(&format!("/shop/prod/{address}"), &address.to_string(), "String");
    }
    world.cloud.latency(Duration::from_millis(5));
    let found = world.wait(world.ssm().read(&addresses)).unwrap();
    assert_eq!(found.entries.len(), 1_000);
    assert!(addresses.iter().all(|at| found.value(at).unwrap().expose() == at.to_string()));
    let calls = world.cloud.calls();
    assert!(calls.len() <= 100, "{} calls", calls.len());
    let most = calls.iter().map(|call| call.in_flight).max().unwrap();
    assert!(most >= 8, "{most} under way");
}

#[test]
fn an_import_of_60_into_an_empty_path_is_60_puts_and_seven_reads_each_way() {
    let mut text = "version = 1\nproject.name = \"shop\"\nenvironments.prod.home = \"ssm\"\n\
                    environments.prod.quota = { reads = 5000, writes = 5000 }\n[groups.app.keys]\n"
        .to_owned();
    for key in 0..60 {
        writeln!(text, "K{key} = {{ secret = true }}").unwrap();
    }
    let world = World::of(&text);
    let wants: Vec<(String, String)> =
        (0..60).map(|key| (format!("app/K{key}"), format!("v{key}"))).collect();
    let wants: Vec<(&str, Option<&str>)> =
        wants.iter().map(|(at, value)| (at.as_str(), Some(value.as_str()))).collect();
    let desired: Desired = desired(&wants);
    world.change(&desired).unwrap();
    assert_eq!(world.cloud.count("ssm:PutParameter"), 60);
    assert!(world.cloud.count("ssm:GetParameters") <= 14);
    assert_eq!(world.cloud.calls().len(), 60 + world.cloud.count("ssm:GetParameters"));

    // Overwriting all of them looks the keys up fifty at a time.
    world.cloud.reset_calls();
    let others: Vec<(&str, Option<&str>)> = wants.iter().map(|(at, _)| (*at, Some("other"))).collect();
    world.set(&others).unwrap();
    assert_eq!(world.cloud.count("ssm:DescribeParameters"), 2);
    assert_eq!(world.cloud.count("ssm:PutParameter"), 60);
}

#[test]
fn a_walk_is_one_call_for_ten_parameters_and_finds_instances_and_undeclared_keys() {
    let world = World::new();
    for number in 0..25 {
        world.seed(&format!("/shop/xero/{number}/token"), "t", "SecureString");
    }
    world.seed("/shop/xero/3/undeclared", "u", "SecureString");
    world.seed("/shop/xero/foreign", "f", "String");
    world.seed("/shop/xero/1/deep/token", "f", "String");
    let found =
        world.wait(strongroom::store::Discover::walk(&world.ssm(), &["xero".parse().unwrap()])).unwrap();
    assert_eq!(found.entries.len(), 26);
    assert!(found.entries.contains_key(&address("xero/3/undeclared")));
    assert_eq!(world.calls(), ["GetParametersByPath"; 3]);
}
