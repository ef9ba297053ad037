//! A WAF that writes an audit log which the server follows: one record a line, one hit a record, numbered from 0.

use super::server::Traced;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two writes, each of some records.
const PAUSE: Duration = Duration::from_millis(7);

/// Writes records until told to stop. Every third write ends within a record, which the next one completes.
pub(super) fn write(traced: &Traced, stop: &AtomicBool) {
    let mut file = OpenOptions::new().append(true).open(&traced.audit_log).expect("the audit log");
    let mut kept_back = String::new();
    let mut number = 0_u64;
    for round in 0_u64.. {
        if stop.load(Ordering::Relaxed) && kept_back.is_empty() {
            return;
        }
        let mut text = std::mem::take(&mut kept_back);
        for _ in 0..=round % 4 {
            text.push_str(&record(number));
            number += 1;
        }
        if round % 3 == 0 && !stop.load(Ordering::Relaxed) {
            kept_back = text.split_off(text.len() - 100);
        }
        file.write_all(text.as_bytes()).expect("the audit log takes records");
        std::thread::sleep(PAUSE);
    }
}

/// Which record a hit comes from; none if it comes from none of these.
pub(super) fn which(body: &str) -> Option<u64> {
    let rest = body.split_once(r#""path":"/followed/"#)?.1;
    rest.split_once('"')?.0.parse().ok()
}

/// How many records end within the first `bytes` of the log.
pub(super) fn records_within(log: &[u8], bytes: u64) -> u64 {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(log.len());
    log[..bytes].split(|byte| *byte == b'\n').count() as u64 - 1
}

fn record(number: u64) -> String {
    let record = serde_json::json!({"transaction": {
        "client_ip": "198.51.100.7", "client_port": 41_616, "host_ip": "127.0.0.1", "host_port": 80,
        "time_stamp": "Mon Nov 23 07:31:54 2026", "server_id": "4f1c", "unique_id": format!("{number:032x}"),
        "request": {"method": "GET", "http_version": 1.1, "uri": format!("/followed/{number}"),
                    "headers": {"Host": "shop.example.com"}},
        "response": {"http_code": 403, "headers": {}},
        "producer": {"modsecurity": "ModSecurity v3.0.9", "secrules_engine": "Enabled", "components": []},
        "messages": [{"message": "SQL Injection Attack", "details": {
            "match": "Matched \"Operator `Rx' with parameter `x' against variable `ARGS:id' (Value: `x' )",
            "reference": "", "ruleId": "942100", "file": "f", "lineNumber": "1",
            "data": "Matched Data: x found within ARGS:id: x", "severity": "2", "ver": "OWASP_CRS/3.3.4", "rev": "",
            "tags": [], "maturity": "0", "accuracy": "0"}}]}});
    format!("{record}\n")
}
