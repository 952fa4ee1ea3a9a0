package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/curio-go/curio/internal/testutil"
)

// A service answers what it is asked, or waits for the caller to go away.
type service struct {
	pb.UnimplementedTestServiceServer
	waiting chan struct{} // a call waits
	gone    chan error    // why it does no more
}

func (s *service) UnaryCall(ctx context.Context, q *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	if q.ResponseSize < 0 {
		s.waiting <- struct{}{}
		<-ctx.Done()
		s.gone <- ctx.Err()
		return nil, ctx.Err()
	}
	return &pb.SimpleResponse{Payload: q.Payload}, nil
}

func (s *service) StreamingInputCall(stream grpc.ClientStreamingServer[pb.StreamingInputCallRequest, pb.StreamingInputCallResponse]) error {
	total := 0
	for {
		q, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(total)})
		}
		if err != nil {
			return err
		}
		total += len(q.Payload.Body)
	}
}

func (s *service) StreamingOutputCall(q *pb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[pb.StreamingOutputCallResponse]) error {
	for _, p := range q.ResponseParameters {
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: &pb.Payload{Body: make([]byte, p.Size)}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) FullDuplexCall(stream grpc.BidiStreamingServer[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]) error {
	for {
		q, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: q.Payload}); err != nil {
			return err
		}
	}
}

// remote starts a gRPC server and returns a client of it.
func remote(t *testing.T, server, client side) (*service, pb.TestServiceClient) {
	t.Helper()
	alive := keepalive.ServerParameters{Time: time.Second, Timeout: testutil.Patience}
	s := &service{waiting: make(chan struct{}), gone: make(chan error)}
	g := grpc.NewServer(grpc.KeepaliveParams(alive))
	pb.RegisterTestServiceServer(g, s)
	listener := server.listen(t)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return client.dial(ctx, "tcp", addr) }))
	must(t, err)
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		g.GracefulStop()
		if err := testutil.Receive(t, "end of Serve", served); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, pb.NewTestServiceClient(conn)
}

func payload(size int) *pb.Payload { return &pb.Payload{Body: testutil.Pattern(size, size)} }

func TestGRPC(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		_, c := remote(t, server, client)
		for _, size := range []int{0, 1, 1000, 1 << 20} {
			answer, err := c.UnaryCall(t.Context(), &pb.SimpleRequest{Payload: payload(size)})
			must(t, err)
			if string(answer.Payload.Body) != string(payload(size).Body) {
				t.Errorf("%d bytes for %d", len(answer.Payload.Body), size)
			}
		}
	})
}

func TestGRPCStreams(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		const messages, size = 200, 20_000
		_, c := remote(t, server, client)
		in, err := c.StreamingInputCall(t.Context())
		must(t, err)
		for range messages {
			must(t, in.Send(&pb.StreamingInputCallRequest{Payload: payload(size)}))
		}
		sum, err := in.CloseAndRecv()
		if err != nil || sum.AggregatedPayloadSize != messages*size {
			t.Errorf("the server received %v, %v", sum, err)
		}

		q := new(pb.StreamingOutputCallRequest)
		for range messages {
			q.ResponseParameters = append(q.ResponseParameters, &pb.ResponseParameters{Size: size})
		}
		out, err := c.StreamingOutputCall(t.Context(), q)
		must(t, err)
		n := 0
		for {
			m, err := out.Recv()
			if err == io.EOF {
				break
			}
			must(t, err)
			n += len(m.Payload.Body)
		}
		if n != messages*size {
			t.Errorf("the client received %d", n)
		}

		both, err := c.FullDuplexCall(t.Context())
		must(t, err)
		for i := range messages {
			must(t, both.Send(&pb.StreamingOutputCallRequest{Payload: &pb.Payload{Body: fmt.Append(nil, i)}}))
			m, err := both.Recv()
			if err != nil || string(m.Payload.Body) != fmt.Sprint(i) {
				t.Fatalf("%d: %v, %v", i, m, err)
			}
		}
		must(t, both.CloseSend())
		if _, err := both.Recv(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	})
}

// Cancelled by the caller, and by a deadline: both sides notice.
func TestGRPCEndings(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		s, c := remote(t, server, client)
		for _, code := range []codes.Code{codes.Canceled, codes.DeadlineExceeded} {
			var ctx context.Context
			var cancel context.CancelFunc
			if code == codes.Canceled {
				ctx, cancel = context.WithCancel(t.Context())
			} else {
				ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
			}
			failed := make(chan error, 1)
			go func() {
				_, err := c.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: -1})
				failed <- err
			}()
			testutil.Receive(t, "call", s.waiting)
			if code == codes.Canceled {
				cancel()
			}
			if err := testutil.Receive(t, "client", failed); status.Code(err) != code {
				t.Errorf("the client: %v, want %v", err, code)
			}
			err := testutil.Receive(t, "server", s.gone)
			if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the server: %v", err)
			}
			cancel()
		}
		// An idle time in which the server asks whether the client is alive.
		idle, stop := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer stop()
		<-idle.Done()
		_, err := c.UnaryCall(t.Context(), &pb.SimpleRequest{Payload: payload(1)})
		must(t, err)
	})
}
