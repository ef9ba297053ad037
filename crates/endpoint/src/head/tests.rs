use super::*;
use proptest::prelude::*;

/// What the library gets of these pieces, the first of which begins a head.
fn filtered<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut filter = HeadFilter::default();
    filter.expect();
    let mut all = Vec::new();
    for piece in pieces {
        filter.push(piece).unwrap();
        fetch(&mut filter, &mut all);
    }
    filter.end();
    fetch(&mut filter, &mut all);
    all
}

/// With less room than there is to fetch.
fn fetch(filter: &mut HeadFilter, all: &mut Vec<u8>) {
    while !filter.out.is_empty() {
        let mut room = [0; 7];
        let mut buf = ReadBuf::new(&mut room);
        filter.pull(&mut buf);
        all.extend_from_slice(buf.filled());
    }
}

fn text(head: &str) -> String {
    String::from_utf8(filtered([head.as_bytes()])).unwrap()
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn what_is_in_order_passes_as_it_is() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 204 \r\nDate: x\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\nD : e\r\nno header\r\n\r\nbody\nof\r\n\x01lines\r\n\r\n",
        "HTTP/1.0 400 Bad\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 is a body\x01",
        "HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 2\x01",
    ] {
        assert_eq!(text(answer), answer);
    }
}

#[test]
fn what_is_no_http_passes_as_it_is() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "\x16\x03\x01",
        "HTTP/1.1",
        "HTTPS\r\n\x01",
        "220 mail\x01",
        "HTTP/3 200 OK\r\n",
    ] {
        assert_eq!(text(bytes), bytes);
    }
}

#[test]
fn status_lines_are_put_right() {
    for (line, expected) in [
        ("HTTP/1.1 200\n", "HTTP/1.1 200 \r\n"),
        ("HTTP/1.1  200   OK \r\n", "HTTP/1.1 200 OK\r\n"),
        ("HTTP/1.1 503 Back\x07 soon\0\r\n", "HTTP/1.1 503 Back  soon\r\n"),
        ("\r\n\r\nHTTP/1.0 200 OK\r\n", "HTTP/1.0 200 OK\r\n"),
        ("HTTP/1.1 2000 OK\r\n", "HTTP/1.1 2000 OK\r\n"),
    ] {
        assert_eq!(text(line), expected, "{line:?}");
    }
    let long = format!("HTTP/1.1 200 {}\r\nA: b\r\n\r\n", "x".repeat(100_000));
    assert!(text(&long).ends_with("x\r\nA: b\r\n\r\n") && text(&long).len() < 2 * LINE_BYTES_PASSED);
}

#[test]
fn control_characters_become_blanks() {
    assert_eq!(
        text("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\x01c\0\x7fd\r\nB: \rc\te\r\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=b c  d\r\nB:  c\te\r\n\r\n"
    );
    let bytes: &[u8] = b"HTTP/1.1 200 OK\r\nName: Gr\xfc\xdfe\r\n\r\n";
    assert_eq!(filtered([bytes]), bytes, "bytes that are no ASCII stay");
}

#[test]
fn of_many_headers_the_first_pass_and_those_that_decide() {
    let many: Vec<_> = (0..5_000).map(|number| format!("X-{number}: y\r\n")).collect();
    let many = many.concat();
    let head = text(&format!("HTTP/1.1 429 Slow\r\n{many}RETRY-AFTER: 9\r\nContent-Length : 3\r\n\r\nabc"));
    assert!(head.ends_with("X-89: y\r\nRETRY-AFTER: 9\r\nContent-Length : 3\r\n\r\nabc"), "{head}");
    let decisive = "Date: x\r\n".repeat(1_000);
    let head = text(&format!("HTTP/1.1 200 OK\r\n{decisive}\r\n"));
    assert_eq!(count(&head, "Date"), HEADERS_PASSED + DECISIVE_PASSED);
}

#[test]
fn a_large_header_is_cut_and_its_folded_lines_are_left_with_it() {
    let long = "y".repeat(50_000);
    let head = text(&format!("HTTP/1.1 200 OK\r\nA: {long}\r\nB: c\r\n\r\n"));
    assert!(head.len() < LINE_BYTES_PASSED + 100 && head.ends_with("y\r\nB: c\r\n\r\n"), "{}", head.len());
    let folded = format!(" {}\r\n", "y".repeat(1_000)).repeat(100);
    let head = text(&format!("HTTP/1.1 200 OK\r\nA: b\r\n{folded}C: d\r\n e\r\n\r\n"));
    assert!(head.len() < HEADER_BYTES_PASSED + 100, "{}", head.len());
    let head = text("HTTP/1.0 200 OK\r\nTransfer-Encoding: a\r\n b\r\n\r\n");
    assert_eq!(head, "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n");
    assert_eq!(text("HTTP/1.1 200 OK\r\n folded under nothing\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
}

#[test]
fn framing_that_contradicts_itself_is_left_out_and_closes_the_connection() {
    for (headers, left) in [
        ("Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: 1\r\n"),
        ("Content-Length: many\r\n", ""),
        ("Content-Length: -1\r\n", ""),
        ("Content-Length: +1\r\n", ""),
        ("Content-Length:\r\n", ""),
        ("content-length: 99999999999999999999\r\n", ""),
    ] {
        let head = text(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n"));
        assert_eq!(head, format!("HTTP/1.1 200 OK\r\n{left}connection: close\r\n\r\n"), "{headers:?}");
    }
}

#[test]
fn a_head_without_an_end_is_refused() {
    for line in ["x: y\r\n", "y"] {
        let mut filter = HeadFilter::default();
        filter.expect();
        filter.push(b"HTTP/1.1 200 OK\r\n").unwrap();
        let piece = line.repeat(1_000);
        let refused = (0..HEAD_BYTES_MAX).find_map(|_| filter.push(piece.as_bytes()).err());
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::InvalidData);
        assert!(filter.line.len() <= LINE_BYTES_PASSED && filter.out.len() <= 2 * HEADER_BYTES_PASSED);
    }
}

#[test]
fn the_next_answer_begins_when_it_is_expected() {
    let mut filter = HeadFilter::default();
    let mut all = Vec::new();
    for _ in 0..2 {
        assert!(filter.is_passing());
        filter.expect();
        filter.push(b"HTTP/1.1 200  OK\r\n\r\n").unwrap();
        assert!(!filter.is_passing());
        fetch(&mut filter, &mut all);
    }
    assert_eq!(all, b"HTTP/1.1 200 OK\r\n\r\n".repeat(2));
}

/// Pieces of answers, right and wrong.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 \r\n\r\n",
        "HTTP/1.0 ",
        "Content-Length: ",
        "Transfer-Encoding: chunked\r\n",
        "A: b\x01\r\n",
        " c\n",
        "5",
        "\r",
        "\r\n",
        "\n",
        ":",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn it_does_not_matter_how_an_answer_is_cut(answer in answer(), size in 1_usize..9) {
        prop_assert_eq!(filtered(answer.chunks(size)), filtered([&answer[..]]));
    }

    #[test]
    fn what_was_put_right_once_stays_as_it_is(answer in answer()) {
        let once = filtered([&answer[..]]);
        prop_assert_eq!(filtered([&once[..]]), once);
    }
}
