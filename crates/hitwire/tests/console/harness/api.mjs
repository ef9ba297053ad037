// The API, for what a scenario needs before or beside the browser: as a caller who posts events, or to see that a click had its effect.

export class Api {
    constructor(url, token) {
        Object.assign(this, { url, token });
    }

    as(token) {
        return new Api(this.url, token);
    }

    async call(method, path, body) {
        const answer = await fetch(this.url + path, {
            method,
            headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
        return text === '' ? null : JSON.parse(text);
    }

    get(path) {
        return this.call('GET', path);
    }

    post(path, body) {
        return this.call('POST', path, body);
    }

    put(path, body) {
        return this.call('PUT', path, body);
    }

    // Makes an integration; what was answered, with its signing secret.
    async integration(name, target, events = ['siem'], more = {}) {
        const body = {
            type: 'web_hooks',
            name,
            active: true,
            events: events.map((event) => (typeof event === 'string' ? { event, active: true } : event)),
            target,
            ...more,
        };
        return (await this.post('/v2/integration', body)).body.object;
    }

    async integrations() {
        return (await this.get('/v2/integration')).body.object;
    }

    // The newest attempts of an integration, once there is one that is like this.
    async attempt(id, like, what = 'an attempt') {
        return until(what, async () => (await this.get(`/v2/integration/${id}/attempts?limit=500`)).attempts.find(like));
    }
}

// Looks again until there is something, which is returned.
export async function until(what, look, patienceMs = 180_000) {
    const end = Date.now() + patienceMs;
    for (;;) {
        const found = await look();
        if (found) return found;
        if (Date.now() > end) throw new Error(`gave up after ${patienceMs} ms: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}
