"use strict";

// Hands what a server has counted to OpenTelemetry, each time that this collects.

/**
 * @param {import("socket.io").Server} io
 * @param {import("@opentelemetry/api").Meter} meter
 */
function observe(io, meter) {
  const instruments = new Map();
  for (const [name, { type, unit = "1", help }] of Object.entries(io.metrics())) {
    const options = { unit: unit === "seconds" ? "s" : unit === "bytes" ? "By" : unit };
    const add = (kind, key, description) =>
      instruments.set(key, meter[`createObservable${kind}`](key, { ...options, description }));
    if (type === "gauge") add("Gauge", name, help);
    else if (type === "counter") add("Counter", name, help);
    else {
      // OpenTelemetry has no histograms that are observed: it gets their counts and sums
      add("Counter", `${name}_count`, `${help} (how often)`);
      add("Counter", `${name}_sum`, `${help} (all together)`);
    }
  }
  meter.addBatchObservableCallback(
    (result) => {
      for (const [name, { values }] of Object.entries(io.metrics()))
        for (const { labels, value } of values) {
          if (typeof value === "number") {
            result.observe(instruments.get(name), value, labels);
          } else {
            result.observe(instruments.get(`${name}_count`), value.count, labels);
            result.observe(instruments.get(`${name}_sum`), value.sum, labels);
          }
        }
    },
    [...instruments.values()],
  );
}

/** Starts to send them by OTLP. @param {import("socket.io").Server} io */
function start(io) {
  const { OTLPMetricExporter } = require("@opentelemetry/exporter-metrics-otlp-http");
  const { MeterProvider, PeriodicExportingMetricReader } = require("@opentelemetry/sdk-metrics");
  const reader = new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() });
  observe(io, new MeterProvider({ readers: [reader] }).getMeter("socket.io"));
}

module.exports = { observe, start };
