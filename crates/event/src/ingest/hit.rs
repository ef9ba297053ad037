//! An item of type `hit` into a [`Hit`].

use super::field::{self, Refusal};
use super::items::Item;
use crate::hit::{
    AttackType, BlockStatus, DEFAULT_ENV, Hit, document_id, index, stamps_hash, without_secrets,
};
use crate::json::{Member, Raw, Shape};
use crate::{ClientId, Point, Step};

/// Reads the fields, and fills what is not given: with the default of [`Hit`], or from what is given.
pub(super) fn read(item: &Item<'_>, client: ClientId, now_s: u64) -> Result<Hit, Refusal> {
    let mut hit = Hit::default();
    let mut attack_type = None;
    let mut id = None;
    let mut times = Times::default();
    let mut stamps_hash_given = None;
    let mut parameter_given = false;
    for field in item.members {
        match &*field.name {
            "anomality" => field::same(&mut hit.anomality, field::number(field)?, field, "anomaly")?,
            "anomaly" => field::same(&mut hit.anomality, field::number(field)?, field, "anomality")?,
            "domain" => field::same(&mut hit.domain, field::string(field)?, field, "host")?,
            "host" => field::same(&mut hit.domain, field::string(field)?, field, "domain")?,
            "heur_distance" => hit.heur_distance = field::number(field)?,
            "method" => hit.method = field::string(field)?,
            "parameter" => {
                hit.parameter = field::string(field)?;
                parameter_given = true;
            }
            "path" => hit.path = field::string(field)?,
            "payloads" => hit.payloads = field::strings(field)?,
            "point" => hit.point = Point(field::array(field, "a string or an index", step)?),
            "probability" => hit.probability = field::number(field)?,
            "remote_country" => hit.remote_country = field::string(field)?,
            "remote_port" => hit.remote_port = field::integer(field, 0, u16::MAX)?,
            "remote_addr4" => hit.remote_addr4 = field::address(field, "an IPv4 address")?,
            "remote_addr6" => hit.remote_addr6 = field::address(field, "an IPv6 address")?,
            "datacenter" => hit.datacenter = field::string(field)?.unwrap_or(hit.datacenter),
            "tor" => hit.tor = field::string(field)?.unwrap_or(hit.tor),
            "request_time" => times.request = field::unix_time(field)?,
            "create_time" => times.create = field::unix_time(field)?,
            "response_len" => hit.response_len = field::integer(field, 0, u64::MAX)?,
            "response_status" => hit.response_status = status(field)?,
            "response_time" => hit.response_time = field::integer(field, 0, u64::MAX)?,
            "stamps" => hit.stamps = field::integers(field)?,
            "regex" => hit.regex = field::numbers(field)?,
            "stamps_hash" => stamps_hash_given = field::integer(field, i32::MIN, i32::MAX)?,
            "regex_hash" => {
                hit.regex_hash = field::integer(field, i32::MIN, i32::MAX)?.unwrap_or(hit.regex_hash);
            }
            "type" => attack_type = field::string(field)?,
            "block_status" => hit.block_status = block_status(field)?,
            "id" => id = hit_id(field)?,
            "object_type" => {}
            // Secrets that a caller did not mask must not even reach the log.
            "headers" => {
                hit.headers = field::object(field)?.map(|raw| without_secrets(raw.get()).unwrap_or(raw));
            }
            name => hit.extra.push((name.to_owned(), field::raw(field)?)),
        }
    }
    hit.attack_type = attack_type
        .filter(|code| !code.is_empty())
        .map(AttackType::from)
        .ok_or_else(|| Refusal::field("type", "this field is required: the attack type, such as \"sqli\""))?;
    if hit.remote_addr4.is_some() && hit.remote_addr6.is_some() {
        return Err(Refusal::field(
            "remote_addr6",
            "a request has one client: give \"remote_addr4\" or \"remote_addr6\", and null for the other",
        ));
    }
    hit.create_time = times.create.unwrap_or(now_s);
    hit.request_time = times.request.unwrap_or(hit.create_time);
    hit.stamps_hash = stamps_hash_given.unwrap_or_else(|| stamps_hash(&hit.stamps));
    // A parameter that is null was looked for and not found; one that is absent was not looked for.
    if !parameter_given {
        hit.parameter = hit.point.parameter(false);
    }
    hit.id = match id {
        Some(id) => id,
        None => [
            index(client, DEFAULT_ENV, hit.request_time.cast_signed()),
            document_id(&[b"hit", &client.0.to_le_bytes(), item.value.text.as_bytes()]),
        ],
    };
    Ok(hit)
}

#[derive(Default)]
struct Times {
    request: Option<u64>,
    create: Option<u64>,
}

fn step(value: Raw<'_>) -> Option<Step> {
    match value.shape {
        Shape::String => Some(Step::Name(value.unquoted().into_owned())),
        _ => field::index_of(value).map(Step::Index),
    }
}

fn status(field: &Member<'_>) -> Result<Option<u16>, Refusal> {
    match field::integer(field, 0, 599)? {
        Some(1..100) => Err(Refusal::field(
            &field.name,
            format!(
                "expected a status from 100 to 599, 0 or null, found {}",
                field::quoted(field.value.text)
            ),
        )),
        status => Ok(status),
    }
}

fn block_status(field: &Member<'_>) -> Result<BlockStatus, Refusal> {
    let Some(name) = field::string(field)? else { return Ok(BlockStatus::default()) };
    BlockStatus::from_name(&name).ok_or_else(|| {
        Refusal::field(
            &field.name,
            format!("expected \"monitored\" or \"blocked\", found {}", field::quoted(field.value.text)),
        )
    })
}

fn hit_id(field: &Member<'_>) -> Result<Option<[String; 2]>, Refusal> {
    if field.value.shape == Shape::Null {
        return Ok(None);
    }
    let parts: [String; 2] = field::strings(field)?
        .try_into()
        .map_err(|_| Refusal::field(&field.name, "expected two strings: the index and the document"))?;
    for part in &parts {
        field::id_part(part).map_err(|message| Refusal::field(&field.name, message))?;
    }
    // The event's id is both parts joined by a slash, which must be read back in one way only.
    if parts[0].contains('/') {
        return Err(Refusal::field(
            &field.name,
            "the index, the first part of an id, must not contain a slash",
        ));
    }
    Ok(Some(parts))
}
