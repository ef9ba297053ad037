// The packages that `install` put into target/console-tests: they are not beside the scripts, so they are required by place.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const place = process.env.HITWIRE_CONSOLE_TESTS;
const require = createRequire(join(place, 'package.json'));

export const { chromium } = require('playwright-core');
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
