//! Policy documents, read strictly: whatever has no meaning here is an error that names its place.

use serde_json::{Map, Value};

use super::condition::Condition;
use super::element::{PolicyError, join, object, optional_text, refuse_others, texts};
use super::principal::{PrincipalPattern, PrincipalRef};
use super::variable::Template;
use crate::kernel::glob::{ARN_PARTS, Glob};

/// A policy of either sort: of an identity (it names no principals) or of a resource (it does).
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyDocument {
    pub(super) statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) actions: Scope<Glob>,
    /// `None` in the trust policy of a role, where the resource is the role itself.
    pub(super) resources: Option<Scope<Template>>,
    /// `None` in a policy of an identity.
    pub(super) principals: Option<Scope<PrincipalPattern>>,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// An element or its `Not` form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope<T> {
    Only(Vec<T>),
    AllBut(Vec<T>),
}

impl<T> Scope<T> {
    pub(super) fn covers(&self, fits: impl Fn(&T) -> bool) -> bool {
        match self {
            Scope::Only(listed) => listed.iter().any(fits),
            Scope::AllBut(listed) => !listed.iter().any(fits),
        }
    }
}

impl PolicyDocument {
    /// Reads a document of either sort.
    pub fn parse(value: &Value) -> Result<PolicyDocument, PolicyError> {
        let document = object("document", value)?;
        refuse_others(document, "", &["Version", "Id", "Statement"])?;
        let with_variables = match optional_text(document, "", "Version")? {
            Some("2012-10-17") => true,
            Some("2008-10-17") | None => false,
            Some(other) => {
                let problem = format!("{other:?} is not a version of the policy language");
                return Err(PolicyError::new("Version", problem));
            }
        };
        optional_text(document, "", "Id")?;
        let statements = match document.get("Statement") {
            None => return Err(PolicyError::new("Statement", "missing")),
            Some(Value::Array(all)) if all.is_empty() => {
                return Err(PolicyError::new("Statement", "the list is empty"));
            }
            Some(Value::Array(all)) => all
                .iter()
                .enumerate()
                .map(|(i, one)| Statement::parse(&format!("Statement[{i}]"), one, with_variables))
                .collect::<Result<_, _>>()?,
            Some(one) => vec![Statement::parse("Statement", one, with_variables)?],
        };
        let document = PolicyDocument { statements };
        document.refuse_repeated_sids()?;
        Ok(document)
    }

    /// Reads the policy of a user or a role.
    pub fn parse_identity(value: &Value) -> Result<PolicyDocument, PolicyError> {
        let document = PolicyDocument::parse(value)?;
        match document.statements.iter().position(|one| one.principals.is_some()) {
            None => Ok(document),
            Some(i) => {
                let problem = "the policy of an identity names no principal";
                Err(PolicyError::new(format!("Statement[{i}]"), problem))
            }
        }
    }

    /// Reads the policy of a bus, a key, a queue, a function or a role's trust.
    pub fn parse_resource(value: &Value) -> Result<PolicyDocument, PolicyError> {
        let document = PolicyDocument::parse(value)?;
        match document.statements.iter().position(|one| one.principals.is_none()) {
            None => Ok(document),
            Some(i) => {
                let problem = "the policy of a resource has to name a principal";
                Err(PolicyError::new(format!("Statement[{i}]"), problem))
            }
        }
    }

    fn refuse_repeated_sids(&self) -> Result<(), PolicyError> {
        let mut seen: Vec<&str> = Vec::new();
        for (i, statement) in self.statements.iter().enumerate() {
            let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) else {
                continue;
            };
            if seen.contains(&sid) {
                let problem = format!("{sid:?} names an earlier statement");
                return Err(PolicyError::new(format!("Statement[{i}].Sid"), problem));
            }
            seen.push(sid);
        }
        Ok(())
    }
}

const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
];

impl Statement {
    fn parse(path: &str, value: &Value, with_variables: bool) -> Result<Statement, PolicyError> {
        let fields = object(path, value)?;
        refuse_others(fields, path, &STATEMENT_ELEMENTS)?;
        let sid = optional_text(fields, path, "Sid")?.map(str::to_owned);
        let effect = match optional_text(fields, path, "Effect")? {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            Some(_) => {
                return Err(PolicyError::new(join(path, "Effect"), "neither Allow nor Deny"));
            }
            None => return Err(PolicyError::new(join(path, "Effect"), "missing")),
        };
        let actions =
            scope(fields, path, "Action", |path, value| texts(path, value, |text| action(&text)))?
                .ok_or_else(|| PolicyError::new(join(path, "Action"), "missing"))?;
        let resources = scope(fields, path, "Resource", |path, value| {
            texts(path, value, |text| resource(&text, with_variables))
        })?;
        let principals = scope(fields, path, "Principal", principals)?;
        if resources.is_none() && principals.is_none() {
            return Err(PolicyError::new(join(path, "Resource"), "missing"));
        }
        if effect == Effect::Allow && matches!(principals, Some(Scope::AllBut(_))) {
            return Err(PolicyError::new(join(path, "NotPrincipal"), "only a Deny may have it"));
        }
        let conditions = match fields.get("Condition") {
            Some(value) => Condition::parse_all(&join(path, "Condition"), value, with_variables)?,
            None => Vec::new(),
        };
        Ok(Statement { sid, effect, actions, resources, principals, conditions })
    }
}

/// Reads `name` or its `Not` form; a statement has at most one of the two.
fn scope<T>(
    fields: &Map<String, Value>,
    path: &str,
    name: &str,
    read: impl Fn(&str, &Value) -> Result<Vec<T>, PolicyError>,
) -> Result<Option<Scope<T>>, PolicyError> {
    let not_name = format!("Not{name}");
    match (fields.get(name), fields.get(&not_name)) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(Scope::Only(read(&join(path, name), value)?))),
        (None, Some(value)) => Ok(Some(Scope::AllBut(read(&join(path, &not_name), value)?))),
        (Some(_), Some(_)) => {
            Err(PolicyError::new(join(path, &not_name), format!("{name} is there as well")))
        }
    }
}

/// Actions do not mind case, so the pattern is kept in lower case.
fn action(text: &str) -> Result<Glob, String> {
    let named = text.split_once(':').is_some_and(|(service, name)| {
        !service.is_empty() && !name.is_empty() && !name.contains(':')
    });
    if text == "*" || named {
        Ok(Glob::parse(&text.to_lowercase()))
    } else {
        Err(format!("{text:?} is neither \"*\" nor service:Action"))
    }
}

fn resource(text: &str, with_variables: bool) -> Result<Template, String> {
    if text != "*" && !text.starts_with("arn:") {
        return Err(format!("{text:?} is neither \"*\" nor an ARN"));
    }
    // An ARN that breaks off means everything below: `arn:aws:sqs` is `arn:aws:sqs:*:*:*`.
    let mut full = text.to_owned();
    if text != "*" {
        let parts = text.splitn(ARN_PARTS, ':').count();
        full.push_str(&":*".repeat(ARN_PARTS - parts));
    }
    if !with_variables {
        return Ok(Template::without_variables(&full));
    }
    let template = Template::parse(&full)?;
    if template.has_keys() && template.colons_before_first_key() < ARN_PARTS - 1 {
        return Err(format!("{text:?} has a variable before the fifth colon"));
    }
    Ok(template)
}

fn principals(path: &str, value: &Value) -> Result<Vec<PrincipalPattern>, PolicyError> {
    if value.as_str() == Some("*") {
        return Ok(vec![PrincipalPattern::Everyone]);
    }
    let fields = object(path, value)?;
    let mut all = Vec::new();
    for (kind, named) in fields {
        let path = join(path, kind);
        let read = match kind.as_str() {
            "AWS" => aws_principal,
            "Service" => service_principal,
            "Federated" | "CanonicalUser" => {
                return Err(PolicyError::new(path, "this kind of principal is not modelled"));
            }
            _ => return Err(PolicyError::new(path, "not a kind of principal")),
        };
        all.extend(texts(&path, named, read)?);
    }
    if all.is_empty() {
        return Err(PolicyError::new(path, "names nobody"));
    }
    Ok(all)
}

fn aws_principal(text: String) -> Result<PrincipalPattern, String> {
    if text == "*" {
        return Ok(PrincipalPattern::Everyone);
    }
    PrincipalRef::parse_aws(&text)
        .map(PrincipalPattern::One)
        .ok_or_else(|| format!("{text:?} is not \"*\", an account or the ARN of a principal"))
}

fn service_principal(text: String) -> Result<PrincipalPattern, String> {
    PrincipalRef::parse_service(&text)
        .map(PrincipalPattern::One)
        .ok_or_else(|| format!("{text:?} is not a service principal"))
}
