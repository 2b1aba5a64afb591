//! STS: who calls, and roles to assume.
//!
//! A role can be assumed if it was declared and its trust policy names the caller; a role that was
//! declared without one trusts its account.

use std::time::Duration;

use serde_json::json;

use crate::kernel::access::{Call, Identity, Want};
use crate::kernel::error::ApiError;
use crate::kernel::hash;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::permit::OnResource;
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

pub fn answer(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    match call.action.as_str() {
        "GetCallerIdentity" => caller_identity(call, fields),
        "AssumeRole" => assume_role(model, call, fields),
        _ => Err(call.unknown_operation()),
    }
}

/// Answers who calls. Nobody needs a permission for it, and no policy can deny it.
fn caller_identity(call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    fields.finish()?;
    let mut xml = Xml::new();
    xml.leaf("Arn", &call.caller.arn);
    xml.leaf("UserId", user_id(&call.caller));
    xml.leaf("Account", &*call.caller.account);
    Ok(xml)
}

/// The unique id of a user, or that of a role with the name of the session.
fn user_id(caller: &Identity) -> String {
    match (&caller.role, caller.arn.rsplit_once('/')) {
        (Some(role), Some((_, session))) => format!("{}:{session}", unique_id("AROA", role)),
        _ => unique_id("AIDA", &caller.arn),
    }
}

/// An id that follows from the ARN: the prefix and seventeen letters and digits.
fn unique_id(prefix: &str, arn: &str) -> String {
    let mut rng = fastrand::Rng::with_seed(hash::of_texts(&[arn]));
    format!("{prefix}{}", letters(&mut rng, 17))
}

fn letters(rng: &mut fastrand::Rng, count: usize) -> String {
    const ALPHABET: [char; 32] = [
        'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R',
        'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7',
    ];
    (0..count).filter_map(|_| rng.choice(ALPHABET)).collect()
}

fn invalid(text: String) -> ApiError {
    ApiError::bad("ValidationError", text)
}

/// The name of a session: as the service's model has it.
fn check_session_name(name: &str) -> Result<(), ApiError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
    if (2..=64).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy \
         constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]{{2,64}}"
    )))
}

fn assume_role(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let role_arn = fields.required("RoleArn")?.to_string();
    let session = fields.required("RoleSessionName")?.to_string();
    check_session_name(&session)?;
    let seconds = match fields.integer("DurationSeconds")? {
        None => 3600,
        Some(seconds @ 900..=43_200) => u64::try_from(seconds).unwrap_or(3600),
        Some(seconds) => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to \
                 satisfy constraint: Member must have value between 900 and 43200"
            )));
        }
    };
    let external_id = fields.text("ExternalId").map(str::to_string);
    fields.finish()?;
    let parts: Vec<&str> = role_arn.splitn(6, ':').collect();
    let ["arn", "aws", "iam", "", account, role] = parts.as_slice() else {
        return Err(invalid(format!("{role_arn} is invalid")));
    };
    let name = role.rsplit('/').next().unwrap_or_default();
    authorise(model, call, &role_arn, account, external_id)?;

    let access_key = format!("ASIA{}", letters(&mut model.rng, 16));
    let secret = letters(&mut model.rng, 40);
    let token = letters(&mut model.rng, 128);
    let assumed = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let identity = Identity {
        account: (*account).into(),
        arn: assumed.clone(),
        role: Some(role_arn.clone()),
        environment: None,
    };
    let role_id = user_id(&identity);
    model.principals.declare_key(&access_key, identity);
    let expires = model.now + Duration::from_secs(seconds);
    let mut xml = Xml::new();
    xml.node("Credentials", |xml| {
        xml.leaf("AccessKeyId", &access_key);
        xml.leaf("SecretAccessKey", &secret);
        xml.leaf("SessionToken", &token);
        xml.leaf("Expiration", expires.to_seconds_text());
    });
    xml.node("AssumedRoleUser", |xml| {
        xml.leaf("AssumedRoleId", &role_id);
        xml.leaf("Arn", &assumed);
    });
    Ok(xml)
}

/// The role has to be there, and its trust and the policies of the caller have to let them in.
fn authorise(
    model: &Model,
    call: &Call,
    role_arn: &str,
    account: &str,
    external_id: Option<String>,
) -> Result<(), ApiError> {
    let Some(role) = model.principals.roles.get(role_arn) else {
        let user = &call.caller.arn;
        let text = format!(
            "User: {user} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        );
        return Err(ApiError::new(403, "AccessDenied", text));
    };
    let at_home;
    let trust = match &role.trust {
        Some(trust) => trust,
        None => {
            at_home = trust_of_account(account)?;
            &at_home
        }
    };
    let mut want = Want::new("sts:AssumeRole", role_arn);
    if let Some(external_id) = external_id {
        want = want.key("sts:ExternalId", external_id);
    }
    let gate = OnResource { policy: trust, owner: account, gated: true };
    model.permit_on(call, &want, Some(gate))
}

fn trust_of_account(account: &str) -> Result<PolicyDocument, ApiError> {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "sts:AssumeRole",
        },
    });
    let malformed = |_| invalid(format!("{account} is not an account"));
    PolicyDocument::parse_resource(&document).map_err(malformed)
}
