// Package quickack has the kernel acknowledge at once what a peer sends, on systems that can.
package quickack
