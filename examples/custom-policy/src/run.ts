import 'reflect-metadata';
import { main } from './main.js';

await main(console.log);
