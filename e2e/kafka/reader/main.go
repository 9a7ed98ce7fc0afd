// Reads a topic from its start and prints a line of JSON for each message: what e2e/tests/kafka.rs compares with.
// Client and message type are not Weir's: franz-go, and GoFlow2's own FlowMessage.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	flowpb "github.com/netsampler/goflow2/v2/pb"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protojson"
)

type line struct {
	Key       string          `json:"key"`
	Partition int32           `json:"partition"`
	Value     json.RawMessage `json:"value"`
}

func main() {
	broker := flag.String("broker", "127.0.0.1:9092", "the broker")
	topic := flag.String("topic", "flows", "the topic")
	count := flag.Int("count", 1, "how many messages to wait for")
	quiet := flag.Duration("quiet", 2*time.Second, "how long no further message may come after those")
	limit := flag.Duration("limit", 60*time.Second, "how long to wait at most")
	format := flag.String("format", "json", "json or goflow2")
	flag.Parse()
	if err := read(*broker, *topic, *format, *count, *quiet, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "reader:", err)
		os.Exit(1)
	}
}

func read(broker, topic, format string, count int, quiet, limit time.Duration) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	out := json.NewEncoder(os.Stdout)
	end := time.Now().Add(limit)
	for read := 0; ; {
		until := end
		if read >= count {
			until = time.Now().Add(quiet)
		}
		ctx, cancel := context.WithDeadline(context.Background(), until)
		fetches := client.PollFetches(ctx)
		cancel()
		if fetches.NumRecords() == 0 && ctx.Err() != nil {
			if read >= count {
				return nil
			}
			return fmt.Errorf("%d of %d messages came", read, count)
		}
		for iter := fetches.RecordIter(); !iter.Done(); read++ {
			record := iter.Next()
			value, err := decode(format, record.Value)
			if err != nil {
				return fmt.Errorf("message %d: %w: %x", read, err, record.Value)
			}
			if err := out.Encode(line{string(record.Key), record.Partition, value}); err != nil {
				return err
			}
		}
	}
}

func decode(format string, value []byte) (json.RawMessage, error) {
	if format == "json" {
		return value, nil
	}
	var flow flowpb.FlowMessage
	reader := bytes.NewReader(value)
	if err := protodelim.UnmarshalFrom(reader, &flow); err != nil {
		return nil, err
	}
	if reader.Len() > 0 {
		return nil, fmt.Errorf("%d bytes behind the message", reader.Len())
	}
	if unknown := flow.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		return nil, fmt.Errorf("unknown fields %x", unknown)
	}
	return protojson.Marshal(&flow)
}
