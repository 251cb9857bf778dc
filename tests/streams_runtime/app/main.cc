// The counting application as a program of its own: what tests start, kill and start again.
#include <millrace/streams.h>

int main(int argc, char** argv) {
  millrace::StreamsBuilder builder;
  builder.stream<std::string, std::string>("in").groupByKey().count({.store = "counts"}).toStream().to("out");
  return millrace::run(builder, argc, argv);
}
