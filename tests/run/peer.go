// peer get ADDRESS: what a server has for who connects, on standard output.
// peer serve ADDRESS FILE: the file for everybody who connects.
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func get(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, c)
	return err
}

func give(c net.Conn, name string) {
	defer c.Close()
	f, err := os.Open(name)
	if err == nil {
		defer f.Close()
		_, err = io.Copy(c, f)
	}
	if err != nil {
		log.Print(err)
	}
}

func serve(address, name string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go give(c, name)
	}
}

func main() {
	log.SetFlags(0)
	var err error
	if len(os.Args) == 3 && os.Args[1] == "get" {
		err = get(os.Args[2])
	} else if len(os.Args) == 4 && os.Args[1] == "serve" {
		err = serve(os.Args[2], os.Args[3])
	} else {
		log.Fatal("usage: peer get ADDRESS | peer serve ADDRESS FILE")
	}
	if err != nil {
		log.Fatal(err)
	}
}
