// A console that has been in use: integrations in each state, events, what became of them, people.

import { hits, randomly, vulnerabilities } from './events.mjs';
import { until } from './api.mjs';

const HITS = 4_000;
const HITS_A_CALL = 500;

// Everything on loopback, with receivers of the stage's. Answers the integrations by a short name.
export async function seed({ api, receivers, world }) {
    const random = randomly(7);
    let asked = 0;
    const well = await receivers.https((_, response) => setTimeout(() => response.writeHead(200).end('{"ok":true}'), 5 + random.below(40)));
    const flaky = await receivers.https((_, response) => {
        asked += 1;
        if (asked % 4 === 0) response.writeHead(429, { 'retry-after': '1' }).end('slow down');
        else response.writeHead(204).end();
    });
    const broken = await receivers.https((_, response) => {
        response.writeHead(500, { 'content-type': 'text/html', 'x-request-id': '7f3a' }).end('<h1>Internal Server Error</h1>\n<p>NullPointerException at Hook.java:42</p>');
    });
    const ca_file = world.ca;
    const all = ['siem', 'security_issue_critical', 'security_issue_high', 'security_issue_medium', 'system', 'rules_and_triggers', 'number_of_requests_per_hour', 'scope'];
    const made = {
        siem: await api.integration('SIEM, production', { url: `${well}/services/collector`, ca_file, headers: { Authorization: 'Splunk 0b7f1c9e', 'X-Team': 'detection' }, max_events: 100 }, all),
        lake: await api.integration('Data lake (hits as lines)', { url: flaky, ca_file, format: 'jsonl', max_events: 50 }, [{ event: 'siem', active: true, with_headers: true }]),
        broken: await api.integration('On-call bridge', { url: broken, ca_file, rendering: 'envelope' }, ['siem', 'security_issue_critical']),
        nobody: await api.integration('Ticketing of the old office', { url: await receivers.nobody(), ca_file }, ['security_issue_critical', 'security_issue_high']),
        filtered: await api.integration('Blocked SQL injection on the shop', { url: `${well}/shop`, ca_file }, ['siem'], {
            filter: { domains: ['shop.example.com'], attack_types: ['sqli'], block_status: ['blocked'] },
        }),
        untrusted: await api.integration('Partner’s staging, certificate not ours', { url: `${well}/partner`, ca_file: world.strange_ca }, ['siem']),
        disabled: await api.integration('Archive', { url: `${well}/archive`, ca_file }, all, { active: false }),
        silent: await api.integration('Nothing ticked yet', { url: `${well}/later`, ca_file }, []),
    };
    await api.post('/v1/applications', { name: 'Shop' });
    await api.post('/v1/applications', { name: 'Partner API' });
    await api.post('/v1/tokens', { name: 'modsecurity forwarder, edge-1', role: 'ingest' });
    await api.post('/v1/tokens', { name: 'Terraform', role: 'admin' });
    for (let sent = 0; sent < HITS; sent += HITS_A_CALL) await api.post('/v1/events', hits(random, HITS_A_CALL));
    await api.post('/v1/events', vulnerabilities());
    await api.post('/v1/events', [
        { object_type: 'scope', action: 'create', domains: ['beta.example.com', 'cdn.example.com'], discovered_by: 'subfinder' },
    ]);
    await api.post('/v1/counters', { requests: 184_220 });
    await until('deliveries', async () => (await api.get(`/v2/integration/${made.siem.id}/attempts?limit=50`)).attempts.length >= 40);
    await until('failures', async () => (await api.get(`/v2/integration/${made.broken.id}/attempts?limit=50`)).attempts.length >= 2);
    return made;
}
