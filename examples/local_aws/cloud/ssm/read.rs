//! The actions that only look: one parameter, ten, a path, a history, descriptions.

use super::super::json::Arguments;
use super::super::service::Service;
use super::super::{Refusal, Visit};
use super::parameter::{Parameter, Sight, Version, split};
use super::write::ten_names;
use super::{Ssm, bare, rules};
use serde_json::{Value, json};

impl Ssm {
    pub(super) fn get(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["Name", "WithDecryption"])?;
        let (name, selector) = split(arguments.required("Name")?)?;
        self.may(visit, "GetParameter", name)?;
        let parameter = self.find(name)?;
        let version = parameter.selected(selector)?;
        let sight = sight(arguments)?;
        self.may_see(visit, parameter, version, sight)?;
        Ok(json!({"Parameter": parameter.shown(&self.realm, version, selector, sight)}))
    }

    /// Answers in its own order, and names in a list what there is not.
    pub(super) fn get_several(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["Names", "WithDecryption"])?;
        let mut names = ten_names(arguments)?;
        for name in &names {
            self.may(visit, "GetParameters", split(name)?.0)?;
        }
        names.sort_by(|one, other| other.cmp(one));
        names.dedup();
        let sight = sight(arguments)?;
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            let (bare, selector) = split(&name)?;
            let Ok(parameter) = self.find(bare) else {
                invalid.push(name);
                continue;
            };
            let Ok(version) = parameter.selected(selector) else {
                invalid.push(name);
                continue;
            };
            self.may_see(visit, parameter, version, sight)?;
            found.push(parameter.shown(&self.realm, version, selector, sight));
        }
        Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
    }

    /// A path that holds nothing is an empty answer. Only the path itself has to be allowed, not what is below it.
    /// Filters are applied to a page when it has been cut, so that it may be short or empty.
    pub(super) fn get_by_path(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&[
            "Path",
            "Recursive",
            "ParameterFilters",
            "WithDecryption",
            "MaxResults",
            "NextToken",
        ])?;
        let path = arguments.required("Path")?;
        rules::path(path)?;
        let size = arguments.number_within("MaxResults", 1, 10)?.unwrap_or(10);
        let recursive = arguments.flag("Recursive")?;
        let filters = Filter::all(arguments, &["Type", "KeyId", "Label"])?;
        self.may(visit, "GetParametersByPath", path)?;
        let below: Vec<&Parameter> =
            self.parameters.values().filter(|parameter| is_below(&parameter.name, path, recursive)).collect();
        let scope = format!("{path} {recursive} {filters:?}");
        let token = arguments.text("NextToken")?;
        let (page, token) = visit.pages.page(below, token, &scope, size).map_err(|_| bad_token())?;
        let sight = sight(arguments)?;
        let mut found = Vec::new();
        for parameter in
            page.into_iter().filter(|parameter| filters.iter().all(|filter| filter.passes(parameter)))
        {
            self.may_see(visit, parameter, parameter.newest(), sight)?;
            found.push(parameter.shown(&self.realm, parameter.newest(), None, sight));
        }
        Ok(with_token(json!({"Parameters": found}), token))
    }

    pub(super) fn history(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["Name", "WithDecryption", "MaxResults", "NextToken"])?;
        let name = arguments.required("Name")?;
        let size = arguments.number_within("MaxResults", 1, 50)?.unwrap_or(50);
        self.may(visit, "GetParameterHistory", name)?;
        let parameter = self.find(name)?;
        let sight = sight(arguments)?;
        let versions: Vec<&Version> = parameter.versions.iter().collect();
        let token = arguments.text("NextToken")?;
        let (page, token) = visit.pages.page(versions, token, name, size).map_err(|_| bad_token())?;
        let mut shown = Vec::new();
        for version in page {
            self.may_see(visit, parameter, version, sight)?;
            let mut described = parameter.described(version);
            described["Value"] = Value::from(version.seen(sight));
            described["Labels"] = Value::from(version.labels.clone());
            shown.push(described);
        }
        Ok(with_token(json!({"Parameters": shown}), token))
    }

    pub(super) fn describe(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["ParameterFilters", "MaxResults", "NextToken"])?;
        let size = arguments.number_within("MaxResults", 1, 50)?.unwrap_or(10);
        let filters = Filter::all(arguments, &["Name", "Type", "KeyId", "Path", "Tier", "DataType", "tag:"])?;
        let everything = self.realm.arn("ssm", "*");
        visit.caller.may(Service::Ssm, "ssm:DescribeParameters", &everything, &[])?;
        let passes = |parameter: &&Parameter| filters.iter().all(|filter| filter.passes(parameter));
        let found: Vec<&Parameter> = self.parameters.values().filter(passes).collect();
        let (scope, token) = (format!("{filters:?}"), arguments.text("NextToken")?);
        let (page, token) = visit.pages.page(found, token, &scope, size).map_err(|_| bad_token())?;
        let described = page.into_iter().map(|parameter| {
            let mut described = parameter.described(parameter.newest());
            described["ARN"] = Value::from(self.arn(&parameter.name));
            described
        });
        Ok(with_token(json!({"Parameters": described.collect::<Vec<_>>()}), token))
    }

    fn may_see(
        &self,
        visit: &Visit,
        parameter: &Parameter,
        version: &Version,
        sight: Sight,
    ) -> Result<(), Refusal> {
        match (&version.key, sight) {
            (Some(key), Sight::Plain) => self.may_use_key(visit, "kms:Decrypt", key, &parameter.name),
            _ => Ok(()),
        }
    }
}

/// One of `ParameterFilters`; several must all pass.
#[derive(Clone, Debug)]
struct Filter {
    key: String,
    option: String,
    values: Vec<String>,
}

impl Filter {
    fn all(arguments: &Arguments, known: &[&str]) -> Result<Vec<Filter>, Refusal> {
        arguments.structures("ParameterFilters")?.iter().map(|filter| Filter::read(filter, known)).collect()
    }

    fn read(arguments: &Arguments, known: &[&str]) -> Result<Filter, Refusal> {
        arguments.only(&["Key", "Option", "Values"])?;
        let key = arguments.required("Key")?.to_owned();
        if !known.iter().any(|own| key == *own || (own.ends_with(':') && key.starts_with(own))) {
            return Err(Refusal::new("InvalidFilterKey", format!("The filter key {key} is not valid here")));
        }
        let options: &[&str] = match key.as_str() {
            "Path" => &["OneLevel", "Recursive"],
            "Name" => &["Equals", "BeginsWith", "Contains"],
            "KeyId" | "Type" => &["Equals", "BeginsWith"],
            _ => &["Equals"],
        };
        let option = arguments.text("Option")?.unwrap_or(options[0]).to_owned();
        if !options.contains(&option.as_str()) {
            let message = format!("The filter option {option} is not valid for {key}");
            return Err(Refusal::new("InvalidFilterOption", message));
        }
        let values = arguments.texts("Values")?.unwrap_or_default();
        let is_tag = key.starts_with("tag:");
        if values.len() > 50 || (values.is_empty() && !is_tag) || values.iter().any(String::is_empty) {
            return Err(Refusal::new("InvalidFilterValue", format!("The values of {key} are not valid")));
        }
        if key == "Path" {
            values.iter().try_for_each(|path| rules::path(path))?;
        }
        Ok(Filter { key, option, values })
    }

    fn passes(&self, parameter: &Parameter) -> bool {
        let newest = parameter.newest();
        if let Some(tag) = self.key.strip_prefix("tag:") {
            let own = parameter.tags.get(tag);
            return own.is_some_and(|own| self.values.is_empty() || self.values.contains(own));
        }
        match self.key.as_str() {
            "Name" => {
                let own = bare(&parameter.name);
                self.values.iter().any(|value| self.fits(own, bare(value)))
            }
            "Path" => {
                let recursive = self.option == "Recursive";
                self.values.iter().any(|path| is_below(&parameter.name, path, recursive))
            }
            "Label" => self.values.iter().any(|label| newest.labels.contains(label)),
            "Type" => self.values.iter().any(|value| self.fits(&newest.kind, value)),
            "Tier" => self.values.contains(&newest.tier),
            "KeyId" => {
                newest.key.as_ref().is_some_and(|key| self.values.iter().any(|value| self.fits(key, value)))
            }
            _ => self.values.iter().any(|value| value == "text"),
        }
    }

    fn fits(&self, own: &str, value: &str) -> bool {
        match self.option.as_str() {
            "BeginsWith" => own.starts_with(value),
            "Contains" => own.contains(value),
            _ => own == value,
        }
    }
}

/// A leaf is not below itself.
fn is_below(name: &str, path: &str, recursive: bool) -> bool {
    if !name.starts_with('/') && path != "/" {
        return false;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let inside = match path {
        "" => Some(bare(name)),
        _ => name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')),
    };
    inside.is_some_and(|inside| recursive || !inside.contains('/'))
}

fn sight(arguments: &Arguments) -> Result<Sight, Refusal> {
    Ok(if arguments.flag("WithDecryption")? { Sight::Plain } else { Sight::Encrypted })
}

fn with_token(mut answer: Value, token: Option<String>) -> Value {
    if let Some(token) = token {
        answer["NextToken"] = Value::from(token);
    }
    answer
}

fn bad_token() -> Refusal {
    Refusal::new("InvalidNextToken", "The specified token is not valid.")
}
