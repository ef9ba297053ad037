use super::*;

fn fits(pattern: &str, found: &str) -> bool {
    DomainPattern::parse(pattern).expect(pattern).fits(found)
}

#[test]
fn a_name_fits_itself_in_any_letter_case_and_nothing_else() {
    for found in ["www.example.com", "WWW.Example.COM", "www.example.com."] {
        assert!(fits("www.Example.com", found), "{found}");
    }
    for found in ["example.com", "a.www.example.com", "www.example.com.evil.test", "wwwxexample.com", ""] {
        assert!(!fits("www.example.com", found), "{found}");
    }
}

#[test]
fn a_star_stands_for_all_names_below() {
    for found in ["a.example.com", "a.b.Example.com", "a.example.com.", "é.example.com"] {
        assert!(fits("*.example.com", found), "{found}");
    }
    for found in ["example.com", ".example.com", "badexample.com", "a.example.com.evil.test", "é", ""] {
        assert!(!fits("*.example.com", found), "{found}");
    }
}

#[test]
fn patterns_that_nothing_could_fit_are_refused_in_words() {
    let refusal = |text: &str| DomainPattern::parse(text).expect_err(text).to_string();
    assert_eq!(refusal(" "), "an entry must not be empty; leave it out");
    for text in ["*", "*.", "a.*.com", "*example.com", "**.example.com", "..example.com", "*..com"] {
        assert!(refusal(text).contains("is no pattern"), "{text}: {}", refusal(text));
    }
    for text in
        ["example.com:443", "https://example.com", "https://example.com/a", "example.com/", "[::1]:443"]
    {
        assert!(refusal(text).contains("without scheme, port and path"), "{text}: {}", refusal(text));
    }
    assert!(refusal("a b").contains("blanks"));
    assert!(refusal("a\u{7}").contains("\\u{7}"));
    assert!(refusal(&"a".repeat(201)).contains("201"));
    for text in ["localhost", "192.0.2.1", "::1", "[::1]", "2001:db8::1", "münchen.example"] {
        DomainPattern::parse(text).expect(text);
    }
}

#[test]
fn networks_are_of_both_families_and_single_addresses_too() {
    let contains = |network: &str, address: &str| {
        Network::parse(network).expect(network).contains(address.parse().expect(address))
    };
    assert!(contains("10.0.0.0/8", "10.255.0.1"));
    assert!(!contains("10.0.0.0/8", "11.0.0.1"));
    assert!(contains("192.0.2.1", "192.0.2.1"));
    assert!(!contains("192.0.2.1", "192.0.2.2"));
    assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
    assert!(!contains("::/0", "192.0.2.1"), "another family");
    assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"), "an IPv4 address, written as IPv6");
}

#[test]
fn networks_that_are_most_likely_slips_are_refused_in_words() {
    let refusal = |text: &str| Network::parse(text).expect_err(text).to_string();
    for text in ["", "10.0.0.0/33", "10.0.0", "localhost", "10.0.0.0/255.0.0.0", "fe80::1%eth0"] {
        refusal(text);
    }
    assert_eq!(
        refusal("10.1.2.3/8"),
        "\"10.1.2.3/8\" names an address within a network; the network is \"10.0.0.0/8\""
    );
    assert!(refusal("::ffff:10.0.0.0/104").contains("IPv4"));
    assert!(refusal("::ffff:10.0.0.1").contains("IPv4"));
}

#[test]
fn a_score_is_finite_and_not_negative() {
    for score in [-1.0, f64::NAN, f64::INFINITY, 1e10] {
        assert_eq!(MinScore::new(score), Err(EntryError::Score), "{score}");
    }
    assert_eq!(MinScore::new(-0.0), MinScore::new(0.0));
    let written = |score: f64| Number::from(MinScore::new(score).expect("a score")).to_string();
    assert_eq!(written(5.0), "5");
    assert_eq!(written(2.5), "2.5");
}

#[test]
fn words_are_read_in_any_letter_case() {
    assert_eq!(block_status("Blocked"), Ok(BlockStatus::Blocked));
    assert_eq!(risk("HIGH"), Ok(Risk::High));
    assert_eq!(AttackTypeName::parse("SQLi").map(|code| code.as_str().to_owned()), Ok("sqli".to_owned()));
    assert!(block_status("stopped").expect_err("unknown").to_string().contains("monitored, blocked"));
    assert!(risk("grave").expect_err("unknown").to_string().contains("critical, high"));
}
