use super::*;
use proptest::prelude::*;

const CLIENT: ClientId = ClientId(1);

fn strict() -> Guard {
    Guard::new(vec![], false)
}

fn allowing(networks: &[&str]) -> Guard {
    Guard::new(networks.iter().map(|network| network.parse().unwrap()).collect(), false)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn rule(text: &str) -> Option<Rule> {
    strict().judge(CLIENT, address(text)).err().map(|refusal| refusal.rule)
}

/// First and last address of each range, and the neighbours that are in none.
#[test]
fn every_range_is_refused_from_its_first_to_its_last_address() {
    for (rule_expected, first, last) in [
        (Rule::Unspecified, "0.0.0.0", "0.255.255.255"),
        (Rule::Private, "10.0.0.0", "10.255.255.255"),
        (Rule::CarrierGradeNat, "100.64.0.0", "100.127.255.255"),
        (Rule::Loopback, "127.0.0.0", "127.255.255.255"),
        (Rule::LinkLocal, "169.254.0.0", "169.254.255.255"),
        (Rule::Private, "172.16.0.0", "172.31.255.255"),
        (Rule::ProtocolAssignments, "192.0.0.0", "192.0.0.255"),
        (Rule::Documentation, "192.0.2.0", "192.0.2.255"),
        (Rule::RelayAnycast, "192.88.99.0", "192.88.99.255"),
        (Rule::Private, "192.168.0.0", "192.168.255.255"),
        (Rule::Benchmarking, "198.18.0.0", "198.19.255.255"),
        (Rule::Documentation, "198.51.100.0", "198.51.100.255"),
        (Rule::Documentation, "203.0.113.0", "203.0.113.255"),
        (Rule::Multicast, "224.0.0.0", "239.255.255.255"),
        (Rule::Reserved, "240.0.0.0", "255.255.255.254"),
        (Rule::Broadcast, "255.255.255.255", "255.255.255.255"),
        (Rule::Unspecified, "::", "::"),
        (Rule::Loopback, "::1", "::1"),
        (Rule::Ipv4Compatible, "::2", "::ffff:ffff"),
        (Rule::LocalNat64, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
        (Rule::Reserved, "100::", "100::ffff:ffff:ffff:ffff"),
        (Rule::Teredo, "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::Benchmarking, "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
        (Rule::ProtocolAssignments, "2001:3::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::Documentation, "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::Documentation, "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::UniqueLocal, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::LinkLocal, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::SiteLocal, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::Multicast, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::NotGlobal, "1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (Rule::NotGlobal, "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        assert_eq!(rule(first), Some(rule_expected), "{first}");
        assert_eq!(rule(last), Some(rule_expected), "{last}");
    }
}

#[test]
fn public_addresses_pass_up_to_the_edges_of_the_ranges() {
    for public in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "93.184.216.34",
        "2000::",
        "2001:200::",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        "2001:4860:4860::8888",
        "2003::1",
        "3fff:1000::",
    ] {
        assert_eq!(rule(public), None, "{public}");
    }
}

#[test]
fn cloud_metadata_is_named_as_such() {
    for metadata in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ] {
        assert_eq!(rule(metadata), Some(Rule::CloudMetadata), "{metadata}");
    }
}

#[test]
fn an_address_that_carries_another_is_judged_by_it() {
    for (carrier, expected) in [
        ("::ffff:127.0.0.1", Some(Rule::Loopback)),
        ("::ffff:10.1.2.3", Some(Rule::Private)),
        ("::ffff:0.0.0.0", Some(Rule::Unspecified)),
        ("::ffff:93.184.216.34", None),
        ("64:ff9b::192.168.1.1", Some(Rule::Private)),
        ("64:ff9b::93.184.216.34", None),
        ("2002:7f00:1::", Some(Rule::Loopback)),
        ("2002:a00:1:2:3:4:5:6", Some(Rule::Private)),
        ("2002:5db8:d822::1", None),
        ("::ffff:0:127.0.0.1", Some(Rule::Loopback)),
        ("::ffff:0:93.184.216.34", None),
    ] {
        assert_eq!(rule(carrier), expected, "{carrier}");
    }
}

#[test]
fn an_allowed_network_may_name_the_carrier_or_what_it_carries() {
    for carrier in ["::ffff:10.0.0.5", "64:ff9b::10.0.0.5", "2002:a00:5::1"] {
        assert!(strict().judge(CLIENT, address(carrier)).is_err(), "{carrier}");
        assert_eq!(allowing(&["10.0.0.0/24"]).judge(CLIENT, address(carrier)), Ok(()), "{carrier}");
        let outer = format!("{carrier}/128");
        assert_eq!(allowing(&[&outer]).judge(CLIENT, address(carrier)), Ok(()), "{carrier}");
    }
    assert!(allowing(&["::ffff:10.0.0.5/128"]).judge(CLIENT, address("10.0.0.5")).is_err());
}

#[test]
fn an_allowed_network_lifts_the_refusal_of_its_addresses_alone() {
    let guard = allowing(&["127.0.0.0/8", "fd12::/16"]);
    assert_eq!(guard.judge(CLIENT, address("127.9.9.9")), Ok(()));
    assert_eq!(guard.judge(CLIENT, address("fd12::1")), Ok(()));
    assert!(guard.judge(CLIENT, address("::1")).is_err());
    assert!(guard.judge(CLIENT, address("10.0.0.1")).is_err());
    assert!(guard.judge(CLIENT, address("fd13::1")).is_err());
}

#[test]
fn a_network_allowed_for_one_client_is_refused_to_the_others_and_can_be_taken_back() {
    let guard = allowing(&["192.168.7.0/24"]);
    let shared = guard.clone();
    shared.set_allowed_for(CLIENT, vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    let passes = |client: u64, text: &str| {
        let url = match address(text) {
            IpAddr::V4(v4) => format!("https://{v4}/"),
            IpAddr::V6(v6) => format!("https://[{v6}]/"),
        };
        let judged = guard.judge(ClientId(client), address(text)).is_ok();
        assert_eq!(guard.check_url(ClientId(client), &url).is_ok(), judged, "{url}");
        judged
    };
    for inner in ["10.1.2.3", "fd00::1", "::ffff:10.1.2.3", "64:ff9b::a01:203"] {
        assert!(passes(1, inner), "{inner}");
        assert!(!passes(2, inner), "{inner} is for client 1 alone");
    }
    assert!(!passes(1, "10.2.0.1"));
    assert!(passes(1, "192.168.7.1") && passes(2, "192.168.7.1"), "the installation's list is for all");
    shared.set_allowed_for(CLIENT, vec!["10.2.0.0/16".parse().unwrap()]);
    assert!(passes(1, "10.2.0.1") && !passes(1, "10.1.2.3"));
    shared.set_allowed_for(CLIENT, vec![]);
    assert!(!passes(1, "10.2.0.1"));
}

#[test]
fn a_refusal_names_address_rule_and_remedy() {
    for (text, words) in [
        (
            "127.0.0.1",
            "127.0.0.1 is a loopback address; an operator can allow it with hitwire serve --allow-target 127.0.0.0/8",
        ),
        (
            "169.254.169.254",
            "169.254.169.254 is the address of a cloud metadata service; an operator can allow it with hitwire serve --allow-target 169.254.169.254/32",
        ),
        (
            "::ffff:10.0.0.1",
            "::ffff:10.0.0.1 carries 10.0.0.1, which is a private address (RFC 1918); an operator can allow it with hitwire serve --allow-target 10.0.0.0/8",
        ),
        (
            "fe80::1",
            "fe80::1 is a link-local address; an operator can allow it with hitwire serve --allow-target fe80::/10",
        ),
        (
            "4000::1",
            "4000::1 is not a global unicast address; an operator can allow it with hitwire serve --allow-target 4000::1/128",
        ),
    ] {
        assert_eq!(strict().judge(CLIENT, address(text)).unwrap_err().to_string(), words);
    }
}

/// Spellings of addresses that other programs have been tricked with.
#[test]
fn a_literal_address_is_judged_in_whatever_spelling() {
    for (url, expected) in [
        ("https://127.0.0.1/", Rule::Loopback),
        ("https://127.1/", Rule::Loopback),
        ("https://0x7f.1/", Rule::Loopback),
        ("https://0x7F.0x0.0x0.0x1/", Rule::Loopback),
        ("https://0177.0.0.1/", Rule::Loopback),
        ("https://0177.0x0.1/", Rule::Loopback),
        ("https://2130706433/", Rule::Loopback),
        ("https://0x7f000001/", Rule::Loopback),
        ("https://017700000001/", Rule::Loopback),
        ("https://127.0.0.1./", Rule::Loopback),
        ("https://１２７.０.０.１/", Rule::Loopback),
        ("https://①②⑦.0.0.1/", Rule::Loopback),
        ("https://127。0。0。1/", Rule::Loopback),
        ("HTTPS://127.0.0.1:8443/a?b", Rule::Loopback),
        ("https://0/", Rule::Unspecified),
        ("https://0.0.0.0/", Rule::Unspecified),
        ("https://10.1/", Rule::Private),
        ("https://3232235777/", Rule::Private),
        ("https://0xa9fea9fe/", Rule::CloudMetadata),
        ("https://169.254.43518/", Rule::CloudMetadata),
        ("https://[::1]/", Rule::Loopback),
        ("https://[0:0:0:0:0:0:0:1]/", Rule::Loopback),
        ("https://[0000::0001]/", Rule::Loopback),
        ("https://[::]/", Rule::Unspecified),
        ("https://[::ffff:127.0.0.1]/", Rule::Loopback),
        ("https://[::ffff:7f00:1]/", Rule::Loopback),
        ("https://[0:0:0:0:0:ffff:7f00:0001]/", Rule::Loopback),
        ("https://[::127.0.0.1]/", Rule::Ipv4Compatible),
        ("https://[64:ff9b::10.0.0.1]/", Rule::Private),
        ("https://[2002:7f00:1::]/", Rule::Loopback),
        ("https://[fd00:ec2::254]/", Rule::CloudMetadata),
        ("https://[FE80::1]/", Rule::LinkLocal),
    ] {
        match strict().check_url(CLIENT, url) {
            Err(UrlError::Refused(refusal)) => assert_eq!(refusal.rule, expected, "{url}"),
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[test]
fn ordinary_urls_pass_and_come_back_normalised() {
    for (url, normal) in [
        ("https://hooks.example", "https://hooks.example/"),
        ("https://Hooks.Example:443/A?b=C", "https://hooks.example/A?b=C"),
        ("https://hooks.example:8443/x", "https://hooks.example:8443/x"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://93.184.216.34/", "https://93.184.216.34/"),
        ("https://[2001:4860:4860::8888]/", "https://[2001:4860:4860::8888]/"),
        ("https://localhost/", "https://localhost/"),
        ("https://hooks.example./x", "https://hooks.example./x"),
        ("https://siem_1.example/x", "https://siem_1.example/x"),
        ("https://hooks.example/a//b?c=https:\\\\d@e%00", "https://hooks.example/a//b?c=https:\\\\d@e%00"),
    ] {
        assert_eq!(strict().check_url(CLIENT, url).unwrap().as_str(), normal);
    }
}

#[test]
fn what_is_wrong_with_a_url_is_said_without_quoting_it() {
    let long = format!("https://hooks.example/{}", "a".repeat(URL_BYTES_MAX));
    let long_label = format!("https://{}.example/secret", "a".repeat(64));
    let long_name = format!("https://{}example/secret", "abcdefgh.".repeat(28));
    for (url, words) in [
        (long.as_str(), "longer than 8192 bytes"),
        ("https://hooks.example/se cret", "a space or a control character"),
        ("https://hooks.example/se\ncret", "a space or a control character"),
        (" https://hooks.example/secret", "a space or a control character"),
        ("hooks.example/secret", "must begin with https://"),
        ("/secret", "must begin with https://"),
        ("", "must begin with https://"),
        ("https://", "names no host"),
        ("https://?secret", "names no host"),
        ("https://:8443/secret", "names no host"),
        ("https://./secret", "names no host"),
        ("https://.../secret", "names no host"),
        ("https:", "exactly two slashes"),
        ("https:secret", "exactly two slashes"),
        ("https:/hooks.example/secret", "exactly two slashes"),
        ("https:///secret", "exactly two slashes"),
        ("HTTPS:////hooks.example/secret", "exactly two slashes"),
        ("https:\\\\hooks.example\\secret", "backslash"),
        ("https://hooks.example\\@evil.example/secret", "backslash"),
        ("https://hooks.example/a\\secret", "%5C"),
        ("https://@hooks.example/secret", "header Authorization"),
        ("https://:@hooks.example/secret", "header Authorization"),
        ("https://[::1/secret", "not a valid IPv6 address"),
        ("https://[]/secret", "not a valid IPv6 address"),
        ("https://[::1]secret/", "not a valid IPv6 address"),
        ("https://[v1.secret]/", "not a valid IPv6 address"),
        ("https://2001:db8::1/secret", "in brackets"),
        ("https://::1/secret", "in brackets"),
        ("https://hooks.example:1:2/secret", "in brackets"),
        ("https://hooks.example:70000/secret", "from 1 to 65535"),
        ("https://hooks.example:secret/", "from 1 to 65535"),
        ("https://hooks.example:+443/secret", "from 1 to 65535"),
        ("https://hooks.example:-1/secret", "from 1 to 65535"),
        ("https://999.0.0.1/secret", "IPv4"),
        ("https://1.2.3.4.5/secret", "IPv4"),
        ("https://[fe80::1%25eth0]/secret", "IPv6 zone"),
        ("https://%68ooks.example/secret", "percent sign"),
        ("https://%31%32%37.0.0.1/secret", "percent sign"),
        ("https://hooks%00.example/secret", "percent sign"),
        ("https://a..example/secret", "two dots in a row"),
        ("https://.hooks.example/secret", "two dots in a row"),
        ("https://hooks.example../secret", "two dots in a row"),
        ("https://a\u{3002}\u{3002}example/secret", "two dots in a row"),
        ("https://hooks,evil.example/secret", "letters, digits"),
        ("https://ho*ks.example/secret", "letters, digits"),
        ("https://ho\"ks.example/secret", "letters, digits"),
        ("https://{secret}.example/", "letters, digits"),
        ("https://ho<ks.example/secret", "host"),
        ("https://ho|ks.example/secret", "host"),
        ("https://xn--a/secret", "international name"),
        ("https://xn--secret-.example/", "international name"),
        ("https://ho\u{ad}oks.example/secret", "invisible character"),
        ("https://ho\u{200b}oks.example/secret", "invisible character"),
        ("https://ho\u{202e}oks.example/secret", "invisible character"),
        (long_label.as_str(), "at most 63 characters"),
        (long_name.as_str(), "253 in all"),
        ("ftp://hooks.example/secret", "must begin with https://"),
        ("file:///secret", "must begin with https://"),
        ("javascript:secret", "must begin with https://"),
        ("http://hooks.example/secret", "--allow-http"),
        ("https://user:secret@hooks.example/", "header Authorization"),
        ("https://secret@hooks.example/", "header Authorization"),
        ("https://hooks.example/#secret", "fragment"),
        ("https://hooks.example:0/secret", "port 0"),
    ] {
        let error = strict().check_url(CLIENT, url).expect_err(url).to_string();
        assert!(error.contains(words), "{url}: {error}");
        assert!(!error.contains("cret"), "{url}: {error}");
    }
}

#[test]
fn plain_http_needs_permission() {
    assert_eq!(strict().check_url(CLIENT, "http://hooks.example/"), Err(UrlError::PlainHttp));
    let guard = Guard::new(vec![], true);
    assert!(guard.check_url(CLIENT, "http://hooks.example/").is_ok());
    assert!(
        matches!(guard.check_url(CLIENT, "http://127.0.0.1/"), Err(UrlError::Refused(_))),
        "the addresses stay guarded"
    );
}

fn private_v4() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(10, b, c, d)),
        any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(127, b, c, d)),
        any::<[u8; 2]>().prop_map(|[c, d]| Ipv4Addr::new(192, 168, c, d)),
        any::<[u8; 2]>().prop_map(|[c, d]| Ipv4Addr::new(169, 254, c, d)),
        (16u8..32, any::<[u8; 2]>()).prop_map(|(b, [c, d])| Ipv4Addr::new(172, b, c, d)),
        (64u8..128, any::<[u8; 2]>()).prop_map(|(b, [c, d])| Ipv4Addr::new(100, b, c, d)),
    ]
}

/// One address in the spellings that URLs allow.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let (bits, low) = (u32::from(address), u32::from(address) & 0xff_ffff);
    vec![
        address.to_string(),
        format!("{a}.{b}.{}", u16::from_be_bytes([c, d])),
        format!("{a}.{low}"),
        format!("0x{a:x}.0{b:o}.0X{c:X}.{d}"),
        format!("0{a:o}.0x{low:x}"),
        bits.to_string(),
        format!("0x{bits:x}"),
        format!("0{bits:o}"),
        format!("[::ffff:{address}]"),
        format!("[::ffff:{:x}:{:x}]", bits >> 16, bits & 0xffff),
        format!("[64:ff9b::{address}]"),
        format!("[2002:{:x}:{:x}::1]", bits >> 16, bits & 0xffff),
        format!("[::ffff:0:{address}]"),
        format!("[::{address}]"),
    ]
}

proptest! {
    #[test]
    fn no_spelling_of_an_inner_address_passes(address in private_v4()) {
        prop_assert!(strict().judge(CLIENT, address.into()).is_err());
        for host in spellings(address) {
            let result = strict().check_url(CLIENT, &format!("https://{host}/"));
            prop_assert!(matches!(result, Err(UrlError::Refused(_))), "{host}: {result:?}");
        }
    }

    #[test]
    fn a_carrier_is_judged_like_what_it_carries(inner in any::<Ipv4Addr>()) {
        let bits = u32::from(inner);
        let (high, low) = ((bits >> 16) as u16, bits as u16);
        let expected = strict().judge(CLIENT, inner.into()).err().map(|refusal| refusal.rule);
        for carrier in [
            inner.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
        ] {
            let found = strict().judge(CLIENT, carrier.into()).err().map(|refusal| refusal.rule);
            prop_assert_eq!(found, expected, "{}", carrier);
        }
    }

    #[test]
    fn allowing_what_a_refusal_names_lifts_it(found in any::<IpAddr>()) {
        if let Err(refusal) = strict().judge(CLIENT, found) {
            let guard = Guard::new(vec![refusal.network], false);
            prop_assert_eq!(guard.judge(CLIENT, found), Ok(()));
        }
    }

    #[test]
    fn whatever_passes_is_what_the_standard_library_calls_neither_inner_nor_special(found in any::<IpAddr>()) {
        if strict().judge(CLIENT, found).is_ok() {
            prop_assert!(!found.is_loopback() && !found.is_unspecified() && !found.is_multicast());
            match found {
                IpAddr::V4(v4) => {
                    prop_assert!(!v4.is_private() && !v4.is_link_local());
                    prop_assert!(!v4.is_broadcast() && !v4.is_documentation());
                }
                IpAddr::V6(v6) => {
                    prop_assert!(!v6.is_unique_local() && !v6.is_unicast_link_local());
                    prop_assert!(v6.to_ipv4_mapped().is_none_or(|inner| strict().judge(CLIENT, inner.into()).is_ok()));
                }
            }
        }
    }

    #[test]
    fn arbitrary_text_is_no_url_or_one_that_keeps_the_rules(text in "(https?:)?[/\\\\]{0,3}[a-z0-9.:@\\[\\]%#?/ä]{0,40}") {
        if let Ok(url) = strict().check_url(CLIENT, &text) {
            prop_assert_eq!(url.scheme(), "https");
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            prop_assert_eq!(strict().check_url(CLIENT, url.as_str()), Ok(url.clone()), "a normalised URL is its own normal form");
        }
    }
}

#[test]
fn words_name_public_addresses_only() {
    for (address, words) in [
        ("203.0.114.7:443", "203.0.114.7:443"),
        ("[2606:4700::1]:443", "[2606:4700::1]:443"),
        ("10.0.0.5:22", "an internal address"),
        ("169.254.169.254:80", "an internal address"),
        ("[::ffff:10.0.0.5]:22", "an internal address"),
        ("[64:ff9b::a00:5]:22", "an internal address"),
        ("[fd00:ec2::254]:80", "an internal address"),
        ("192.0.2.1:80", "an internal address"),
    ] {
        assert_eq!(PublicOnly(address.parse().unwrap()).to_string(), words, "{address}");
    }
}
