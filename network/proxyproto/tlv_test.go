package proxyproto_test

import (
	"reflect"
	"testing"

	"github.com/curio-go/curio/network/proxyproto"
)

func TestTLS(t *testing.T) {
	inner := tlvOf(proxyproto.TLSVersion, "TLSv1.3") + tlvOf(proxyproto.TLSCommonName, "someone")
	for _, test := range []struct {
		value string
		want  proxyproto.TLSInfo
		ok    bool
	}{
		{"\x07\x00\x00\x00\x00", proxyproto.TLSInfo{TLS: true, Certificate: true, Verified: true}, true},
		{"\x05\x00\x00\x00\x01", proxyproto.TLSInfo{TLS: true, Certificate: true}, true},
		{"\x01\x00\x00\x00\x00", proxyproto.TLSInfo{TLS: true}, true},
		{"\x00\x00\x00\x00\x00", proxyproto.TLSInfo{}, true},
		{"\x01\x00\x00\x00", proxyproto.TLSInfo{}, false},
		{"\x01\x00\x00\x00\x00\x21", proxyproto.TLSInfo{}, false},
	} {
		tlvs := proxyproto.TLVs{{proxyproto.ALPN, nil}, {proxyproto.TLS, []byte(test.value)}}
		if info, ok := tlvs.TLS(); ok != test.ok || !reflect.DeepEqual(info, test.want) {
			t.Errorf("%q: %+v, %v", test.value, info, ok)
		}
	}
	info, ok := proxyproto.TLVs{{proxyproto.TLS, []byte("\x03\x00\x00\x00\x00" + inner)}}.TLS()
	version, _ := info.TLVs.Get(proxyproto.TLSVersion)
	name, _ := info.TLVs.Get(proxyproto.TLSCommonName)
	if !ok || string(version) != "TLSv1.3" || string(name) != "someone" {
		t.Errorf("%+v, %v", info, ok)
	}
	if info, ok := (proxyproto.TLVs{}).TLS(); ok {
		t.Errorf("of nothing: %+v", info)
	}
	if value, ok := info.TLVs.Get(proxyproto.TLSKey); ok {
		t.Errorf("a key %q from nowhere", value)
	}
}
