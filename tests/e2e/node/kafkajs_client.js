// usage: kafkajs_client.js produce BOOTSTRAP TOPIC CODEC FIRST COUNT
//        kafkajs_client.js member BOOTSTRAP TOPIC GROUP     (events as JSON lines; SIGTERM commits and leaves)
'use strict';
const fs = require('fs');
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs');

const [mode, bootstrap, topic, ...rest] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [bootstrap], clientId: 'e2e', logLevel: logLevel.ERROR });
const valueOf = (n) => `${n}:` + 'millrace '.repeat(1 + (n % 9));
const emit = (event) => fs.writeSync(1, JSON.stringify(event) + '\n');

// Codecs that kafkajs leaves to packages.
function installCodecs() {
  const optional = (name) => {
    try {
      return require(name);
    } catch {
      return null;
    }
  };
  const snappy = optional('kafkajs-snappy');
  if (snappy) CompressionCodecs[CompressionTypes.Snappy] = snappy;
  const lz4 = optional('lz4-napi'); // lz4js writes dependent blocks, which Kafka refuses
  if (lz4) {
    CompressionCodecs[CompressionTypes.LZ4] = () => ({
      compress: async (encoder) => lz4.compressFrame(encoder.buffer),
      decompress: async (buffer) => lz4.decompressFrame(buffer),
    });
  }
  const zstd = optional('@bokuweb/zstd-wasm');
  if (zstd) {
    const ready = zstd.init();
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({
      compress: async (encoder) => ready.then(() => Buffer.from(zstd.compress(encoder.buffer, 3))),
      decompress: async (buffer) => ready.then(() => Buffer.from(zstd.decompress(buffer))),
    });
  }
}

async function produce(codec, first, count) {
  const compression = {
    none: CompressionTypes.None,
    gzip: CompressionTypes.GZIP,
    snappy: CompressionTypes.Snappy,
    lz4: CompressionTypes.LZ4,
    zstd: CompressionTypes.ZSTD,
  }[codec];
  const producer = kafka.producer();
  await producer.connect();
  for (let from = first; from < first + count; from += 5000) {
    const messages = [];
    for (let n = from; n < Math.min(from + 5000, first + count); n++) {
      messages.push({ key: String(n), value: valueOf(n) });
    }
    await producer.send({ topic, compression, acks: -1, messages });
  }
  await producer.disconnect();
}

async function member(group) {
  const consumer = kafka.consumer({ groupId: group, heartbeatInterval: 200, sessionTimeout: 10000, maxWaitTimeInMs: 100 });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => emit({ assigned: payload.memberAssignment[topic] || [] }));
  consumer.on(consumer.events.REBALANCING, () => emit({ assigned: [] }));
  process.on('SIGTERM', async () => {
    await consumer.disconnect();
    process.exit(0);
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch }) => emit({ values: batch.messages.map((m) => m.value.toString()) }),
  });
}

installCodecs();
const work = mode === 'produce' ? produce(rest[0], Number(rest[1]), Number(rest[2])) : member(rest[0]);
work.catch((error) => {
  console.error(error);
  process.exit(1);
});
