// What must never happen while a page of the console is open, whatever the scenario is about.

export class Watch {
    constructor(origin) {
        this.origin = origin;
        this.faults = [];
        this.expected = new Set();
        this.answered = new Set();
    }

    over(context) {
        context.on('weberror', (error) => this.fault(`an exception in a page: ${error.error().stack}`));
        context.on('dialog', (dialog) => {
            this.fault(`a dialog of the browser: ${dialog.type()} ${dialog.message()}`);
            dialog.dismiss().catch(() => {});
        });
        context.on('console', (message) => {
            if (message.type() !== 'error' || this.#isExpected(message)) return;
            // A violation of the content security policy is such an error too.
            this.fault(`an error in the console of ${message.page()?.url()}: ${message.text()} (${message.location().url})`);
        });
        context.on('request', (request) => {
            const url = new URL(request.url());
            if (url.protocol !== 'data:' && url.origin !== this.origin) this.fault(`a request to another host: ${url}`);
        });
        context.on('requestfailed', (request) => {
            // Leaving a page ends what it was still loading, such as its event stream.
            const why = request.failure()?.errorText;
            if (why !== 'net::ERR_ABORTED') this.fault(`a request that failed: ${request.url()}: ${why}`);
        });
        context.on('response', (response) => {
            const status = response.status();
            if (status < 400) return;
            // The browser writes about the answer into its console, sooner or later.
            if (this.expected.has(status)) this.answered.add(`${status} ${response.url()}`);
            else this.fault(`${response.request().method()} ${response.url()} was answered ${status}`);
        });
    }

    fault(text) {
        this.faults.push(text);
    }

    // While `act` runs, answers with this status are what the scenario wants to see.
    async expecting(status, act) {
        this.expected.add(status);
        try {
            return await act();
        } finally {
            this.expected.delete(status);
        }
    }

    #isExpected(message) {
        const [, status] = message.text().match(/^Failed to load resource: the server responded with a status of (\d+)/) ?? [];
        if (status === undefined) return false;
        return this.expected.has(Number(status)) || this.answered.has(`${status} ${message.location().url}`);
    }

    assertClean() {
        if (this.faults.length > 0) throw new Error(`the browser saw what must not happen:\n${this.faults.join('\n')}`);
    }
}
