//! What the rules of the OWASP Core Rule Set mean.
//!
//! The rule's id says it, then the tags; never the message's text. Tags alone would not do: ModSecurity v3 leaves them empty
//! for about 40 % of the SQL injections that it sees. Numbers and meanings are those of CRS 3.3.4 and 4.29.

use crate::Settings;
use hitwire_event::hit::AttackType;

/// What a matched rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It counts, sums up or initialises; no sign of anything by itself.
    Skip,
    /// The request is an attack of this type.
    Attack(AttackType),
    /// The request breaks the protocol (or the WAF could not read it): `invalid_request`.
    Protocol,
    /// The client is a mere scripting client or crawler: noise, unless asked for.
    ScriptingClient,
    /// The response gives something away: `infoleak`, or `rce` for a web shell's page.
    Response(AttackType),
}

/// The type of protocol violations, and of blocks that have no other.
pub(crate) const INVALID_REQUEST: AttackType = AttackType(std::borrow::Cow::Borrowed("invalid_request"));
/// The type of leaks in responses.
pub(crate) const INFOLEAK: AttackType = AttackType(std::borrow::Cow::Borrowed("infoleak"));
/// The type of scanners and their like.
pub(crate) const SCANNER: AttackType = AttackType(std::borrow::Cow::Borrowed("scanner"));

/// What the rule with this id and these tags is for. `id` is none if the record's rule id is no number.
pub(crate) fn verdict<S: AsRef<str>>(id: Option<u32>, tags: &[S], settings: &Settings) -> Verdict {
    let verdict = id
        .and_then(by_id)
        .or_else(|| tags.iter().find_map(|tag| by_tag(tag.as_ref())))
        .or_else(|| by_range(id?, settings))
        .unwrap_or_else(|| attack("custom"));
    match verdict {
        Verdict::Attack(attack_type) if settings.rfi_as_ssrf && attack_type.as_str() == "rfi" => {
            attack("ssrf")
        }
        verdict => verdict,
    }
}

/// The table of sources' rule ids; none for rules that are not in it.
fn by_id(id: u32) -> Option<Verdict> {
    Some(match id {
        // Libmodsecurity's recommended configuration: body not readable, limits exceeded.
        200_000..=200_099 => Verdict::Protocol,
        942_290 => attack("nosqli"),
        934_110 | 934_120 | 934_170 | 934_190 => attack("ssrf"),
        934_180 | 934_200 => attack("ssti"),
        921_110 => attack("request_smuggling"),
        921_120 | 921_130 | 921_140 | 921_150 | 921_151 | 921_160 | 921_190 => attack("crlf"),
        921_200 => attack("ldapi"),
        913_101 | 913_102 => Verdict::ScriptingClient,
        _ => match id / 1_000 {
            // Initialisation, exclusions, IP reputation, DoS counters; evaluation and correlation of scores.
            901..=910 | 912 | 949 | 959 | 980 | 999 => Verdict::Skip,
            911 | 920..=922 => Verdict::Protocol,
            913 => Verdict::Attack(SCANNER),
            930 => attack("ptrav"),
            931 => attack("rfi"),
            932..=934 | 944 => attack("rce"),
            941 => attack("xss"),
            942 => attack("sqli"),
            943 => attack("input_validation"),
            955 => Verdict::Response(AttackType::from("rce")),
            948 | 950..=954 | 956 => Verdict::Response(INFOLEAK),
            _ => return None,
        },
    })
}

fn by_tag(tag: &str) -> Option<Verdict> {
    Some(match tag.strip_prefix("attack-")? {
        "sqli" => attack("sqli"),
        "xss" => attack("xss"),
        "lfi" => attack("ptrav"),
        "rfi" => attack("rfi"),
        "rce" | "injection-php" | "injection-java" | "injection-nodejs" => attack("rce"),
        "ssrf" => attack("ssrf"),
        "ssti" => attack("ssti"),
        "ldap" => attack("ldapi"),
        "fixation" => attack("input_validation"),
        "reputation-scanner" => Verdict::Attack(SCANNER),
        "protocol" | "multipart-header" => Verdict::Protocol,
        _ => return None,
    })
}

fn by_range(id: u32, settings: &Settings) -> Option<Verdict> {
    let range = settings.rules.iter().find(|range| (range.first..=range.last).contains(&id))?;
    Some(Verdict::Attack(range.attack_type.clone()))
}

fn attack(code: &'static str) -> Verdict {
    Verdict::Attack(AttackType::from(code))
}

/// Whether this is the rule that blocks for the sum of the scores: inbound, or outbound.
pub(crate) fn evaluation(id: u32) -> Option<Direction> {
    match id {
        949_110 | 949_111 => Some(Direction::Inbound),
        959_100 | 959_101 => Some(Direction::Outbound),
        _ => None,
    }
}

/// Which scores were summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Those of the request.
    Inbound,
    /// Those of the response.
    Outbound,
}

/// Whether the rule belongs to ModSecurity's recommended configuration, which blocks by itself.
pub(crate) fn is_engine_rule(id: u32) -> bool {
    (200_000..=200_099).contains(&id)
}

/// Whether the rule belongs to the CRS, by the range of ids that is reserved for it, or by what it says itself (its plugins
/// use higher ids).
pub(crate) fn is_crs_rule(id: Option<u32>, version: &str) -> bool {
    id.is_some_and(|id| (900_000..=999_999).contains(&id)) || version.starts_with("OWASP_CRS")
}

/// Whether the CRS counts this rule's severity into the request's score, rather than the response's or none.
pub(crate) fn counts_inbound(id: u32) -> bool {
    !matches!(by_id(id), Some(Verdict::Skip | Verdict::Response(_)))
}

/// What the CRS adds to the anomaly score for a rule of this severity: critical 5, error 4, warning 3, notice 2. Other
/// severities count nothing; ModSecurity writes 0 for a rule that has none.
pub(crate) fn score(severity: &str) -> u32 {
    match severity {
        "2" => 5,
        "3" => 4,
        "4" => 3,
        "5" => 2,
        _ => 0,
    }
}

/// The paranoia level that a tag names: `paranoia-level/2`.
pub(crate) fn paranoia_level(tag: &str) -> Option<u8> {
    tag.strip_prefix("paranoia-level/")?.parse().ok()
}

/// Whether `Matched Data` is not the payload but a fingerprint of libinjection (942100, 942101) or mere words (941100,
/// 941101: `XSS data`; 941370, 941380: `Suspicious ...`).
pub(crate) fn shows_no_payload(id: u32) -> bool {
    matches!(id, 941_100 | 941_101 | 941_370 | 941_380 | 942_100 | 942_101)
}

/// The variable of a rule whose record names none that lies in the request, because the rule looks at a count or at
/// something that it worked out before.
pub(crate) fn usual_variable(id: u32) -> Option<&'static str> {
    Some(match id {
        200_002 => "REQBODY_ERROR",
        911_100 => "REQUEST_METHOD",
        920_190 => "REQUEST_HEADERS:Range",
        920_350 => "REQUEST_HEADERS:Host",
        920_420 => "REQUEST_HEADERS:Content-Type",
        920_440 => "REQUEST_BASENAME",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleRange;

    fn of(id: u32) -> Verdict {
        verdict::<&str>(Some(id), &[], &Settings::default())
    }

    fn tagged(tag: &str) -> Verdict {
        verdict(Some(77), &["application-multi", tag], &Settings::default())
    }

    #[test]
    fn an_attack_rule_has_the_type_of_its_row() {
        let rows: &[(&str, &[u32])] = &[
            ("nosqli", &[942_290]),
            ("sqli", &[942_100, 942_101, 942_289, 942_291, 942_999]),
            ("xss", &[941_000, 941_100, 941_390]),
            ("ptrav", &[930_100, 930_130]),
            ("rfi", &[931_100, 931_130]),
            ("ssrf", &[934_110, 934_120, 934_170, 934_190]),
            ("ssti", &[934_180, 934_200]),
            ("rce", &[932_150, 933_100, 934_100, 934_130, 944_100, 944_150, 944_151, 944_152]),
            ("crlf", &[921_120, 921_130, 921_140, 921_150, 921_151, 921_160, 921_190]),
            ("request_smuggling", &[921_110]),
            ("ldapi", &[921_200]),
            ("scanner", &[913_100, 913_110]),
            ("input_validation", &[943_100, 943_120]),
        ];
        for (code, ids) in rows {
            for id in *ids {
                assert_eq!(of(*id), attack(code), "{id}");
            }
        }
    }

    #[test]
    fn evaluation_reputation_and_initialisation_are_skipped() {
        for id in [901_100, 905_100, 909_999, 910_100, 912_120, 949_110, 949_111, 959_100, 980_130, 999_999] {
            assert_eq!(of(id), Verdict::Skip, "{id}");
        }
    }

    #[test]
    fn protocol_rules_and_engine_rules_are_no_attacks() {
        for id in [911_100, 920_100, 920_350, 921_170, 921_180, 922_130, 200_000, 200_002, 200_099] {
            assert_eq!(of(id), Verdict::Protocol, "{id}");
        }
    }

    #[test]
    fn crawlers_are_not_scanners() {
        assert_eq!(of(913_101), Verdict::ScriptingClient);
        assert_eq!(of(913_102), Verdict::ScriptingClient);
    }

    #[test]
    fn response_rules_leak_and_web_shells_are_code_execution() {
        for id in [948_100, 950_130, 951_230, 952_100, 953_100, 954_100, 956_100] {
            assert_eq!(of(id), Verdict::Response(INFOLEAK), "{id}");
        }
        assert_eq!(of(955_100), Verdict::Response("rce".into()));
    }

    #[test]
    fn a_rule_outside_of_the_crs_is_known_by_its_tags() {
        let rows = [
            ("sqli", "attack-sqli"),
            ("xss", "attack-xss"),
            ("ptrav", "attack-lfi"),
            ("rfi", "attack-rfi"),
            ("rce", "attack-rce"),
            ("ssrf", "attack-ssrf"),
            ("ssti", "attack-ssti"),
            ("ldapi", "attack-ldap"),
            ("rce", "attack-injection-php"),
            ("rce", "attack-injection-java"),
            ("rce", "attack-injection-nodejs"),
            ("input_validation", "attack-fixation"),
            ("scanner", "attack-reputation-scanner"),
        ];
        for (code, tag) in rows {
            assert_eq!(tagged(tag), attack(code), "{tag}");
        }
        assert_eq!(tagged("attack-protocol"), Verdict::Protocol);
        assert_eq!(tagged("attack-multipart-header"), Verdict::Protocol);
        assert_eq!(tagged("attack-generic"), attack("custom"));
    }

    #[test]
    fn the_id_counts_before_the_tags() {
        assert_eq!(verdict(Some(942_100), &["attack-xss"], &Settings::default()), attack("sqli"));
    }

    #[test]
    fn the_operators_ranges_name_what_tags_do_not() {
        let settings = Settings {
            rules: vec![RuleRange { first: 10_000, last: 10_999, attack_type: "brute".into() }],
            ..Settings::default()
        };
        assert_eq!(verdict(Some(10_999), &["mine"], &settings), attack("brute"));
        assert_eq!(verdict(Some(10_999), &["attack-sqli"], &settings), attack("sqli"));
        assert_eq!(verdict(Some(11_000), &["mine"], &settings), attack("custom"));
        assert_eq!(verdict::<&str>(None, &[], &settings), attack("custom"));
    }

    #[test]
    fn remote_file_inclusion_is_ssrf_for_receivers_of_the_seeds_types() {
        let settings = Settings { rfi_as_ssrf: true, ..Settings::default() };
        assert_eq!(verdict::<&str>(Some(931_100), &[], &settings), attack("ssrf"));
        assert_eq!(verdict(Some(77), &["attack-rfi"], &settings), attack("ssrf"));
    }

    #[test]
    fn severities_score_as_in_the_crs() {
        assert_eq!(["0", "1", "2", "3", "4", "5", "6", ""].map(score), [0, 0, 5, 4, 3, 2, 0, 0]);
    }
}
